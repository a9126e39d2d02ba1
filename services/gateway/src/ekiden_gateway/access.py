"""Who asks, and for which session: the dependencies that every route shares.

All are coroutines, also those that wait for nothing: FastAPI calls a plain function in a thread, which costs a request
more than all that is done in it. Those that others depend on take what they need from the request: FastAPI goes down to
the leaves of every dependency for everybody who has it, also when it knows the answer, at five microseconds a leaf.
"""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.base import SecurityBase

from ekiden.domain.ids import SESSION_ID_PATTERN, SessionId
from ekiden.domain.session import Session
from ekiden.domain.told import told
from ekiden.store.sessions import Standing
from ekiden_gateway import rates
from ekiden_gateway.callers import Caller
from ekiden_gateway.event_stream import MayGoOn
from ekiden_gateway.keys import Scope
from ekiden_gateway.kinds import FORBIDDEN, UNAUTHENTICATED, UNAVAILABLE, UNKNOWN_SESSION
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem

LONGEST_KEY = 255
_EXAMPLE = "ses_0199c0ffee0077778888999900001111"

_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="Only where keys are set")
_bearer = HTTPBearer(auto_error=False, description="Only where keys are set")
SCHEMES = (_api_key, _bearer)
"""The ways to show a key. FastAPI is told of one; `openapi` documents them all."""


def parts_of(request: Request) -> Parts:
    return request.app.state.parts


async def parts(request: Request) -> Parts:
    return parts_of(request)


UsedParts = Annotated[Parts, Depends(parts)]


class Door(SecurityBase):
    """Who asks. Raises Problem when he is unknown, may not do this, or has asked too often."""

    model, scheme_name = _api_key.model, _api_key.scheme_name

    async def __call__(self, request: Request) -> Caller:
        parts = parts_of(request)
        found = await parts.callers.who(await _shown(request))
        if found is None:
            raise Problem(
                UNAUTHENTICATED, "Send an API key as bearer token or X-API-Key.", headers={"WWW-Authenticate": "Bearer"}
            )
        _must_have(found, Scope.READ if request.method in rates.READING else Scope.WRITE)
        await rates.count(request, parts, found.client)
        return found


Asking = Annotated[Caller, Security(Door())]


async def owner(caller: Asking) -> str:
    """The client that asks, which owns what it creates."""
    return caller.client


Owner = Annotated[str, Depends(owner)]


async def listening(caller: Asking, parts: UsedParts) -> MayGoOn:
    """What a stream asks from time to time: whether its caller's key still opens it."""
    return partial(parts.callers.may_still_read, caller)


Listening = Annotated[MayGoOn, Depends(listening)]


async def operator(caller: Asking) -> Caller:
    """What concerns the sessions of all owners: where there are keys, only one with the scope admin may come in."""
    _must_have(caller, Scope.ADMIN)
    return caller


Operator = Annotated[Caller, Depends(operator)]


async def _shown(request: Request) -> str:
    """The secret that a request came with, if any."""
    if key := await _api_key(request):
        return key
    bearer = await _bearer(request)
    return bearer.credentials if bearer else ""


def _must_have(caller: Caller, scope: Scope) -> None:
    if scope not in caller.scopes:
        raise Problem(FORBIDDEN, told("The key {key} has no scope {scope}.", key=caller.key, scope=scope))


def begun(parts: Parts) -> None:
    """Nothing is written before the indexes are there: one of them keeps a request from being done twice."""
    if not parts.begun:
        raise Problem(UNAVAILABLE, "The database has not answered yet. Nothing was stored.")


async def once_begun(request: Request) -> None:
    begun(parts_of(request))


async def in_turn(
    request: Request,
    caller: Asking,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=LONGEST_KEY,
            description="Makes it safe to ask again: the same key and body are done once and get the same answer, "
            "however often and however closely together they come. Another body under the key is refused.",
        ),
    ] = None,
) -> AsyncGenerator[str | None]:
    """The request's Idempotency-Key. Requests of one key come in one after the other."""
    if key is None:
        yield None
        return
    async with parts_of(request).turns.of((caller.client, request.url.path, key)):
        yield key


IdempotencyKey = Annotated[str | None, Depends(in_turn)]

SessionPath = Annotated[
    str,
    Path(alias="sessionId", pattern=SESSION_ID_PATTERN, description="As `create` answered it", examples=[_EXAMPLE]),
]


async def located(session_id: SessionPath, parts: UsedParts, owner: Owner) -> Session:
    """The session of the path, if it is the caller's; another's is as unknown as none."""
    session = await parts.sessions.load(SessionId(session_id))
    if session is None or session.owner != owner:
        raise Problem(UNKNOWN_SESSION, f"There is no session {session_id}.")
    return session


Located = Annotated[Session, Depends(located)]


async def standing(session_id: SessionPath, parts: UsedParts, owner: Owner) -> Standing:
    """How far the session of the path has come, if it is the caller's.

    So many at a time: after a restart all listeners come back at once, and none of them may wait so long for a
    connection to the database that it is sent away, to come back and wait again.
    """
    async with parts.entrance:
        found = await parts.sessions.standing(SessionId(session_id))
    if found is None or found.owner != owner:
        raise Problem(UNKNOWN_SESSION, f"There is no session {session_id}.")
    return found


Stands = Annotated[Standing, Depends(standing)]
