"""What a route can answer besides its model, as its `responses` for the OpenAPI document."""

from typing import Any

from ekiden_gateway.kinds import (
    AT_CAPACITY,
    CONFLICT,
    INVALID,
    KEY_REUSED,
    REQUEST_RUNNING,
    SESSION_TOO_LARGE,
    TOO_MANY_REQUESTS,
    TOO_MANY_SESSIONS,
    UNAVAILABLE,
    Kind,
)
from ekiden_gateway.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

COMMAND = (CONFLICT, SESSION_TOO_LARGE, REQUEST_RUNNING, KEY_REUSED)
"""What every command to a session may meet."""
BEGINNING = (TOO_MANY_REQUESTS, TOO_MANY_SESSIONS, AT_CAPACITY)
"""What a command that begins a session may meet besides."""
_SCHEMAS = {409: "ConflictAnswer", 422: "InvalidAnswer"}
_EXAMPLE_ID = "0199c0ff-ee00-7777-8888-999900001111"


def documented(*kinds: Kind, database: bool = True) -> Responses:
    """Its problems by status; `database` tells whether it needs one. `openapi` adds what concerns all routes."""
    return responses(INVALID, *kinds, *([UNAVAILABLE] if database else []))


def responses(*kinds: Kind) -> Responses:
    return {
        status: _response([kind for kind in kinds if kind.status == status]) for status in {k.status for k in kinds}
    }


def header(description: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": schema}


def with_location(status: int, what: str = "session") -> Responses:
    """An answer that says where what it made is."""
    return {status: {"headers": {"Location": header(f"The path of the {what}", {"type": "string"})}}}


_RATE = {
    "RateLimit-Policy": header("`q` changing requests in `w` seconds", {"type": "string"}, required=False),
    "RateLimit": header("`r` are left, all are there again in `t` seconds", {"type": "string"}, required=False),
}


def _response(kinds: list[Kind]) -> dict[str, Any]:
    schema = _SCHEMAS.get(kinds[0].status, "ProblemAnswer")
    examples = {kind.name: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    found: dict[str, Any] = {
        "description": ". Or: ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": examples}},
    }
    if again := [kind for kind in kinds if kind.again_seconds is not None]:
        always = len(again) == len(kinds)
        seconds = header("Seconds after which to ask again", {"type": "integer", "minimum": 0}, required=always)
        found["headers"] = {"Retry-After": seconds}
    if TOO_MANY_REQUESTS in kinds:
        found["headers"] |= _RATE
    return found


def _example(kind: Kind) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "instance": "/api/…",
        "requestId": _EXAMPLE_ID,
    }
    if kind is INVALID:
        return example | {"detail": "theme: is required", "errors": [{"field": "theme", "message": "is required"}]}
    return example
