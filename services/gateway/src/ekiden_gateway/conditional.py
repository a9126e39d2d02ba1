"""Conditional requests (RFC 9110, 13): what a client has need not be sent, what it has not seen is not overwritten."""

from typing import Annotated

from fastapi import Header

from ekiden_gateway.documented import Responses, header
from ekiden_gateway.kinds import CHANGED_MEANWHILE
from ekiden_gateway.problems import Problem

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=1000,
        description="The `ETag` of an earlier answer: 304 without a body when it still holds",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=1000, description="The `ETag` of what you have seen: 412 when it was changed since"
    ),
]
_ETAG = header("Names this state of it", {"type": "string", "pattern": '^"[^"]+"$'})


def tagged(status: int = 200) -> Responses:
    """An answer with an `ETag`."""
    return {status: {"headers": {"ETag": _ETAG}}}


UNCHANGED: Responses = tagged() | {304: {"description": "It is as you have it", "headers": {"ETag": _ETAG}}}


def etag(state: object) -> str:
    return f'"{state}"'


def names(given: str | None, tag: str) -> bool:
    """Whether a header names a tag. For reading weak ones will do: a proxy that compresses makes them so."""
    return given is not None and (given.strip() == "*" or tag in _tags(given.replace("W/", "")))


def must_match(given: str | None, tag: str) -> None:
    """Raises Problem when a header is there and names another state; a weak tag names none."""
    if given is not None and given.strip() != "*" and tag not in _tags(given):
        raise Problem(CHANGED_MEANWHILE, f"It is {tag} now, and your change is about {given}.")


def _tags(given: str) -> list[str]:
    return [tag.strip() for tag in given.split(",")]
