"""What both providers' error replies have in common: the rule for «known not to be bought», and the delays."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from ekiden.errors import OutcomeUnknown, ProviderUnavailable
from ekiden.worker.http import Reply

SAYS_NO = frozenset({500, 503})
"""Server errors that count as a refusal, when they carry the provider's own JSON error (DESIGN 6)."""
AT_THE_DOOR = frozenset({400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 422, 426, 429, 431, 451})
"""Refusals whoever says them: a proxy that answers one of these has not passed the call on.

The other 4xx (408, 409, 424, 425, 460 …) a proxy may also say after it has: they count only in the provider's own JSON.
"""
CLIENT_LEFT = 499
"""A gateway's word for «the caller hung up while I worked on it»: never a refusal."""
LONGEST_ASKED_SECONDS = 24 * 3600.0
"""The longest delay that is obeyed. Daily limits are renewed within it; what is longer is no delay but a mistake."""

_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|[uµμ]s|ns|m|s)")
_GO_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_TRY_AGAIN = re.compile(r"try again in ((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)", re.IGNORECASE)
_MESSAGE_CHARACTERS = 10_000
"""How far into a body a delay is looked for."""


def error_object(reply: Reply) -> Mapping[str, Any] | None:
    """The provider's own JSON error: an object that says something.

    None when the body is something else, such as a proxy's HTML page, or a text where the object should be.
    """
    body = cast("object", reply.json)
    if not isinstance(body, dict):
        return None
    error = cast("dict[str, object]", body).get("error")
    if not isinstance(error, dict):
        return None
    found = cast("dict[str, Any]", error)
    says = any(isinstance(found.get(name), str) and found[name] for name in ("message", "type", "code"))
    return found if says else None


def refused(reply: Reply, error: Mapping[str, Any] | None) -> bool:
    """Whether an answer that is no 2xx tells for certain that nothing was bought.

    A 1xx or 3xx does not: a 303 after a POST even says that it was carried out.
    """
    if reply.status in SAYS_NO:
        return error is not None
    if not 400 <= reply.status < 500 or reply.status == CLIENT_LEFT:
        return False
    return error is not None or reply.status in AT_THE_DOOR


def unknown(reply: Reply, error: Mapping[str, Any] | None) -> OutcomeUnknown:
    """The error for an answer behind which an accepted call may stand."""
    own = "although with" if error is not None else "without"
    return OutcomeUnknown(f"status {reply.status} {own} the provider's own error")


def unavailable(reply: Reply, message: str) -> ProviderUnavailable:
    """The error for a provider that is out of order and said so, with the delay it asks for."""
    return ProviderUnavailable(message, delay_seconds=asked_delay(retry_after(reply)))


def asked_delay(seconds: float | None) -> float | None:
    """A delay as it is obeyed: none at all is no help, so our own pauses stand; and none is longer than a day."""
    return min(seconds, LONGEST_ASKED_SECONDS) if seconds else None


def retry_after(reply: Reply) -> float | None:
    """The delay the provider asks for, in seconds, from the headers or else the message. None when it says none."""
    if (milliseconds := reply.headers.get("retry-after-ms")) and is_number(milliseconds):
        return float(milliseconds) / 1000
    if header := reply.headers.get("retry-after"):
        if is_number(header):
            return max(0.0, float(header))
        return _until(header, reply.headers.get("date"))
    if found := _TRY_AGAIN.search(reply.text[:_MESSAGE_CHARACTERS]):
        return go_duration(found[1])
    return None


def go_duration(text: str) -> float:
    """Seconds of a Go-style duration such as `120ms`, `1.2s`, `6m0s`, `1h23m31s` (OpenAI's reset headers)."""
    return sum(float(number) * _GO_SECONDS[unit] for number, unit in _GO_PART.findall(text))


def _until(moment: str, now: str | None) -> float | None:
    """Seconds between two HTTP dates of the same answer: the provider's clock is compared with itself only."""
    if now is None:
        return None
    end, start = epoch_of(moment), epoch_of(now)
    return None if end is None or start is None else max(0.0, end - start)


def epoch_of(header_date: str | None) -> float | None:
    """The Unix time of an HTTP date, such as an answer's own Date header. None when it is none."""
    if header_date is None:
        return None
    try:
        moment: datetime = parsedate_to_datetime(header_date)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]+)?", text.strip(" \t")) is not None
