"""The gateway's problem documents (RFC 9457) as errors."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx

from ekiden_client.errors import (
    ChangedMeanwhile,
    Conflict,
    Forbidden,
    GatewayBug,
    Invalid,
    NotFound,
    OverQuota,
    Problem,
    Unauthenticated,
    Unavailable,
)

_BY_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: ChangedMeanwhile,
    413: Invalid,
    422: Invalid,
    429: OverQuota,
    500: GatewayBug,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_KNOWN = frozenset({"type", "title", "status", "detail"})


def problem_of(response: httpx.Response) -> Problem:
    """Make the error that an answer of status 4xx or 5xx stands for."""
    body = _body(response)
    kind = _BY_STATUS.get(response.status_code, Problem)
    detail = str(body.get("detail") or "")
    errors = _errors(body)
    lines = [f"{field}: {message}" if field else message for field, message in errors]
    return kind(
        response.status_code,
        str(body.get("title") or response.reason_phrase),
        "\n".join([detail, *(line for line in lines if line not in detail)]).strip(),
        type=str(body.get("type") or "about:blank"),
        request_id=str(body.get("requestId") or response.headers.get("x-request-id", "")),
        errors=errors,
        retry_after_seconds=_retry_after(response.headers.get("retry-after")),
        extra={name: value for name, value in body.items() if name not in _KNOWN},
    )


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}


def _errors(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The mistakes by field, where the gateway lists them."""
    rows = body.get("errors")
    if not isinstance(rows, list):
        return ()
    found = [cast("Mapping[str, Any]", row) for row in cast("list[object]", rows) if isinstance(row, dict)]
    return tuple((str(row.get("field") or ""), str(row.get("message") or "")) for row in found)


def _retry_after(value: str | None) -> float | None:
    """Seconds. A date, the header's other form, comes from proxies only; it is compared with this machine's clock."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)
