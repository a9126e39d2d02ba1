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

_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_GO_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_TRY_AGAIN = re.compile(r"try again in ((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)", re.IGNORECASE)


def error_object(reply: Reply) -> Mapping[str, Any] | None:
    """The provider's own JSON error; None when the body is something else, such as a proxy's HTML page."""
    body = cast("object", reply.json)
    if not isinstance(body, dict):
        return None
    error = cast("dict[str, object]", body).get("error")
    return cast("Mapping[str, Any]", error) if isinstance(error, dict) else None


def server_error(reply: Reply, error: Mapping[str, Any] | None) -> ProviderUnavailable | OutcomeUnknown:
    """A 5xx: refused only when the provider itself says so; all else may stand behind an accepted call."""
    if reply.status in SAYS_NO and error is not None:
        message = str(error.get("message", ""))
        return ProviderUnavailable(f"{reply.status} {message}", delay_seconds=retry_after(reply))
    return OutcomeUnknown(f"status {reply.status} without the provider's own error")


def retry_after(reply: Reply) -> float | None:
    """The delay the provider asks for, in seconds, from the headers or else the message. None when it says none."""
    if (milliseconds := reply.headers.get("retry-after-ms")) and is_number(milliseconds):
        return float(milliseconds) / 1000
    if header := reply.headers.get("retry-after"):
        if is_number(header):
            return max(0.0, float(header))
        return _until(header, reply.headers.get("date"))
    if found := _TRY_AGAIN.search(reply.text):
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
    return re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]+)?", text.strip()) is not None
