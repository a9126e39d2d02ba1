"""Problems (RFC 9457): the only place where the body of an error is made."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ekiden.errors import DocumentTooLarge, KeyReused, Unreachable
from ekiden.masking import hide
from ekiden_gateway.kinds import (
    FORBIDDEN,
    INTERNAL,
    INVALID,
    KEY_REUSED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    SESSION_TOO_LARGE,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_SESSION,
    Kind,
)

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
SESSION_PARAMETER = ("path", "sessionId")
_BY_STATUS: Mapping[int, Kind] = {
    400: INVALID,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    422: INVALID,
    503: UNAVAILABLE,
}
_SAYS_NOTHING = frozenset({NOT_FOUND, TOO_LARGE})


class Problem(Exception):
    """A request that cannot be met. `extra` are further members of the body, camelCase."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail or kind.title
        self.extra = dict(extra or {})
        again = {"Retry-After": str(kind.again_seconds)} if kind.again_seconds is not None else {}
        self.headers = again | dict(headers or {})


Explain = Callable[[Request, Problem], Awaitable[Response]]


def invalid(field: str, message: str) -> Problem:
    """A 422 for one field, found later than pydantic could."""
    return Problem(INVALID, f"{field}: {message}", extra={"errors": [{"field": field, "message": message}]})


def too_large() -> Problem:
    """The rest of the body is not read, so the connection cannot be used again."""
    return Problem(TOO_LARGE, headers={"Connection": "close"})


def bug(error: Exception) -> Problem:
    log.error("request_failed", exc_info=error)
    return Problem(INTERNAL, "The request could not be answered; the log has the reason under the requestId.")


def response(request_id: str, path: str, problem: Problem) -> Response:
    body: dict[str, object] = {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": path,
        "requestId": request_id,
    }
    text = hide(json.dumps(body | problem.extra, ensure_ascii=False, default=str))
    return Response(text.encode("utf-8", "replace"), problem.kind.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI, explain: Explain | None = None) -> None:
    """Turn every way a request can fail into a problem; what nobody has foreseen `RequestContext` does.

    With `explain` a browser that looks for a page is told of it on a page.
    """
    for kind, make in _FORESEEN.items():
        app.add_exception_handler(kind, _answer(make, explain))


def from_error(error: Exception) -> Problem:
    """The problem that a foreseen error is. Raises it again when nobody has foreseen it."""
    for kind, make in _FORESEEN.items():
        if isinstance(error, kind):
            return make(error)
    raise error


def _answer(make: Any, explain: Explain | None) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        if explain is not None and is_for_a_page(request):
            return await explain(request, make(error))
        return response(request.scope.get("request_id", ""), request.url.path, make(error))

    return handler


def is_for_a_page(request: Request) -> bool:
    """Whether a browser asks for a page. Programs take anything, and what is below /api/ is theirs."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def _as_it_is(error: Problem) -> Problem:
    return error


def _from_size(error: DocumentTooLarge) -> Problem:
    return Problem(SESSION_TOO_LARGE, f"{error}. {SESSION_TOO_LARGE.remedy}")


def _from_reuse(error: KeyReused) -> Problem:
    return Problem(KEY_REUSED, str(error))


def _from_framework(error: HTTPException) -> Problem:
    kind = _BY_STATUS.get(error.status_code, INTERNAL)
    if kind is INVALID:  # a body that is no JSON, in a way that its parser did not foresee
        return invalid("body", str(error.detail))
    return Problem(kind, "" if kind in _SAYS_NOTHING else str(error.detail), headers=error.headers)


def _from_validation(error: RequestValidationError) -> Problem:
    errors: Sequence[Mapping[str, Any]] = error.errors()
    if any(tuple(found["loc"][:2]) == SESSION_PARAMETER for found in errors):
        return Problem(UNKNOWN_SESSION, "A session's id is written ses_ and 32 hexadecimal digits.")
    rows = [{"field": _field(found), "message": _message(found)} for found in errors]
    return Problem(INVALID, "; ".join(f"{row['field']}: {row['message']}" for row in rows[:5]), extra={"errors": rows})


def _field(found: Mapping[str, Any]) -> str:
    """Where a mistake is, as the client wrote it: without `body`, and without pydantic's names of union members."""
    place: Sequence[str | int] = found["loc"]
    if "discriminator" in found.get("ctx", {}):
        return str(found["ctx"]["discriminator"]).strip("'")
    if found["type"] == "json_invalid":
        return "body"
    parts = [str(part) for part in (place[1:] or place)]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in _UNION_TAGS else parts)


def _message(found: Mapping[str, Any]) -> str:
    if found["type"] == "json_invalid":
        return f"is no JSON: {found['ctx']['error']} at character {found['loc'][-1]}"
    if isinstance(found.get("input"), bytes) and len(found["loc"]) == 1:
        return "is no JSON object: send it with Content-Type: application/json"
    return str(found["msg"])


_UNION_TAGS = frozenset({"retry", "restart_phase", "restart_session", "health_check", "resolve", "resolve_all"})


def _from_absence(error: Unreachable) -> Problem:
    return Problem(UNAVAILABLE, f"{error}. {UNAVAILABLE.remedy}")


_FORESEEN: Mapping[type[Exception], Callable[[Any], Problem]] = {
    Problem: _as_it_is,
    HTTPException: _from_framework,
    RequestValidationError: _from_validation,
    Unreachable: _from_absence,
    DocumentTooLarge: _from_size,
    KeyReused: _from_reuse,
}
