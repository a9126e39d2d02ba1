"""Problems (RFC 9457): the only place where the body of an error is made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ekiden.errors import DocumentTooLarge, KeyReused, Unreachable

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
SESSION_PARAMETER = ("path", "sessionId")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its type is the stable path `/problems/<name>`."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"


UNAUTHENTICATED = Kind("unauthenticated", 401, "An API key is needed")
FORBIDDEN = Kind("forbidden", 403, "The API key may not do this")
UNKNOWN_SESSION = Kind("unknown-session", 404, "There is no such session")
UNKNOWN_TASK = Kind("unknown-task", 404, "The session has no such task")
UNKNOWN_DRAFT = Kind("unknown-draft", 404, "The session has no such draft")
UNKNOWN_WORKFLOW = Kind("unknown-workflow", 404, "There is no such workflow")
UNKNOWN_PROVIDER = Kind("unknown-provider", 404, "There is no such provider")
UNKNOWN_DEAD_LETTER = Kind("unknown-dead-letter", 404, "There is no such dead letter")
NOT_FOUND = Kind("not-found", 404, "There is nothing at this address")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This address does not take this method")
CONFLICT = Kind("conflicting-state", 409, "The session's state does not allow this")
NOT_REPLAYABLE = Kind("not-replayable", 409, "The dead letter cannot be replayed")
TOO_LARGE = Kind("body-too-large", 413, "The body is larger than 256 KiB")
INVALID = Kind("invalid-request", 422, "The request is malformed")
KEY_REUSED = Kind("idempotency-key-reused", 422, "The Idempotency-Key belongs to another request")
SESSION_TOO_LARGE = Kind("session-too-large", 409, "The session cannot grow any more")
INTERNAL = Kind("internal-error", 500, "The gateway has a bug")
UNAVAILABLE = Kind("unavailable", 503, "The database does not answer")
BROKER_AWAY = Kind("broker-away", 503, "The broker does not answer")

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, Kind)}
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


class Problem(Exception):
    """A request that cannot be met. `extra` are further members of the body, camelCase."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def invalid(field: str, message: str) -> Problem:
    """A 422 for one field, found later than pydantic could."""
    return Problem(INVALID, f"{field}: {message}", extra={"errors": [{"field": field, "message": message}]})


def response(request_id: str, path: str, problem: Problem) -> Response:
    body: dict[str, object] = {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": path,
        "requestId": request_id,
    }
    text = json.dumps(body | problem.extra, ensure_ascii=False, default=str)
    return Response(text.encode("utf-8", "replace"), problem.kind.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turn every way a request can fail into a problem."""
    app.add_exception_handler(Problem, _answer(_as_it_is))
    app.add_exception_handler(HTTPException, _answer(_from_framework))
    app.add_exception_handler(RequestValidationError, _answer(_from_validation))
    app.add_exception_handler(Unreachable, _answer(_from_absence))
    app.add_exception_handler(DocumentTooLarge, _answer(_from_size))
    app.add_exception_handler(KeyReused, _answer(_from_reuse))
    app.add_exception_handler(Exception, _answer(_from_bug))


def documented(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its problems for the OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, INVALID, UNAVAILABLE):
        example = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.title}
        answers[kind.status] = {"description": kind.title, "content": {MEDIA_TYPE: {"example": example}}}
    return answers


def _answer(make: Any) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return response(request.scope.get("request_id", ""), request.url.path, make(error))

    return handler


def _as_it_is(error: Problem) -> Problem:
    return error


def _from_size(error: DocumentTooLarge) -> Problem:
    return Problem(SESSION_TOO_LARGE, str(error))


def _from_reuse(error: KeyReused) -> Problem:
    return Problem(KEY_REUSED, str(error))


def _from_framework(error: HTTPException) -> Problem:
    kind = _BY_STATUS.get(error.status_code, INTERNAL)
    return Problem(kind, kind.title if kind is NOT_FOUND else str(error.detail), headers=error.headers)


def _from_validation(error: RequestValidationError) -> Problem:
    errors: Sequence[Mapping[str, Any]] = error.errors()
    if any(tuple(found["loc"][:2]) == SESSION_PARAMETER for found in errors):
        return Problem(UNKNOWN_SESSION, "A session's id is written ses_ and 32 hexadecimal digits.")
    rows = [{"field": _field(found), "message": str(found["msg"])} for found in errors]
    return Problem(INVALID, "; ".join(f"{row['field']}: {row['message']}" for row in rows[:5]), extra={"errors": rows})


def _field(found: Mapping[str, Any]) -> str:
    """Where a mistake is, as the client wrote it: without `body`, and without pydantic's names of union members."""
    place: Sequence[str | int] = found["loc"]
    if "discriminator" in found.get("ctx", {}):
        return str(found["ctx"]["discriminator"]).strip("'")
    parts = [str(part) for part in (place[1:] or place)]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in _UNION_TAGS else parts)


_UNION_TAGS = frozenset({"retry", "restart_phase", "restart_session", "health_check", "resolve"})


def _from_absence(error: Unreachable) -> Problem:
    return Problem(UNAVAILABLE, f"{error}. Nothing was stored.", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _from_bug(error: Exception) -> Problem:
    log.error("request_failed", exc_info=error)
    return Problem(INTERNAL, "The request could not be answered; the log has the reason under the requestId.")
