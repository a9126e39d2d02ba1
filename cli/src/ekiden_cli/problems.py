"""The gateway's problem documents (RFC 9457) as errors of the command line."""

from collections.abc import Mapping
from typing import Any, cast

import httpx

from ekiden_cli.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota, Problem, Unavailable

_BY_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
    429: OverQuota,
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
    fields = [line for line in _fields(body) if line not in detail]
    return kind(
        response.status_code,
        str(body.get("title") or response.reason_phrase),
        "\n".join([detail, *fields]).strip(),
        type=str(body.get("type") or "about:blank"),
        retry_after_seconds=_retry_after(response.headers.get("retry-after")),
        extra={name: value for name, value in body.items() if name not in _KNOWN},
    )


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}


def _fields(body: Mapping[str, Any]) -> list[str]:
    """The mistakes by field, where the gateway lists them: one line each."""
    lines: list[str] = []
    for mistake in cast("list[object]", body.get("errors") or []):
        if isinstance(mistake, dict):
            told = cast("Mapping[str, Any]", mistake)
            where = told.get("field") or told.get("pointer") or ".".join(str(part) for part in told.get("loc", []))
            what = told.get("message") or told.get("detail") or told.get("msg") or ""
            lines.append(f"{where}: {what}" if where else str(what))
        else:
            lines.append(str(mistake))
    return lines


def _retry_after(value: str | None) -> float | None:
    """Seconds. The header's other form, a date, is one our gateway does not use."""
    return float(value) if value is not None and value.isdecimal() else None
