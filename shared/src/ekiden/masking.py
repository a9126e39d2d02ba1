"""Secrets, masked in whatever leaves a process as text: log lines, dead letters, problem documents, error messages.

A secret is known by its value, told once at the start, and guessed by its look: keys of the usual vendors, bearer
tokens, the links of our gates, and the user and password of an address.
"""

import json
import re
from collections.abc import Iterable
from typing import cast
from urllib.parse import quote, unquote

MASK = "***"
SHORTEST_SECRET = 8
"""What is shorter is no secret: masked, it would make holes in ordinary words."""
SIMULATED = "simulator"
"""The key of both providers where none is needed."""
_LOOKS = re.compile(
    r"""(?:sk-|pplx-|ek_)[A-Za-z0-9_-]{8,}"""
    r"""|whsec_[A-Za-z0-9+/=_-]{8,}"""
    r"""|glk_[A-Za-z0-9._-]{8,}"""
    r"""|(?<=://)[^\s"'/@]*:[^\s"']+(?=@)"""
    r"""|(?<=bearer\ )[A-Za-z0-9._~+/=-]{8,}"""
    r"""|(?<=authorization:\ basic\ )[A-Za-z0-9+/=]+""",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"authorization|api_?key|token$|secret|password|cookie", re.IGNORECASE)
_USER_AND_PASSWORD = re.compile(r"://[^\s/:@]*:(.+)@")

_known: re.Pattern[str] | None = None


def know(secrets: Iterable[str]) -> None:
    """Mask these from now on, as they are and as they stand in an address or in JSON."""
    global _known
    forms = {form for secret in secrets if is_secret(secret) for form in _forms(secret)}
    longest_first = sorted(forms, key=len, reverse=True)
    _known = re.compile("|".join(map(re.escape, longest_first))) if forms else None


def hide(text: str) -> str:
    """The text without secrets."""
    return _LOOKS.sub(MASK, _known.sub(MASK, text) if _known else text)


def masked(value: object, name: str = "") -> object:
    """The value that stands under a name, without what is secret by its value, its look, or its name, however deep."""
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, dict):
        return {key: masked(inner, str(key)) for key, inner in cast("dict[object, object]", value).items()}
    if isinstance(value, list):
        return [masked(inner) for inner in cast("list[object]", value)]
    return hide(value) if isinstance(value, str) else value


def is_secret(value: str) -> bool:
    return len(value) >= SHORTEST_SECRET and value != SIMULATED


def passwords_in(address: str) -> set[str]:
    """The password of an address, if it has one; also of an address that is none for its odd password."""
    found = _USER_AND_PASSWORD.search(address)
    return {found.group(1), unquote(found.group(1))} if found else set()


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
