"""What happened to a session: as a list, or live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response, StreamingResponse

from ekiden.domain.ids import SessionId
from ekiden.errors import Unreachable
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.documented import Responses, documented
from ekiden_gateway.kinds import UNKNOWN_SESSION
from ekiden_gateway.models.parts import EventList
from ekiden_gateway.parts import Parts
from ekiden_gateway.views import events as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["events"])
STREAM = "text/event-stream"
POLL_SECONDS = 2.0
"""How long a lost wake-up can go unnoticed."""
HEARTBEAT_SECONDS = 15.0
RECONNECT_MS = 1000
LastEventId = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,9})?$")]
"""The id of an event; a browser that has seen none may send an empty one."""
_STREAMED: Responses = {
    200: {
        "description": "The history; live when `Accept` asks for text/event-stream",
        "content": {
            STREAM: {
                "schema": {"type": "string"},
                "examples": {
                    "one": {
                        "value": 'id: 2\nevent: session\ndata: {"id": 2, "status": "EXECUTING", "cause": "Look"}\n\n'
                    }
                },
            }
        },
    }
}


@router.get(
    "/{sessionId}/events",
    operation_id="listEvents",
    response_model=EventList,
    responses=documented(UNKNOWN_SESSION) | _STREAMED,
)
async def events(
    request: Request,
    session: Located,
    parts: UsedParts,
    after: Annotated[int, Query(ge=-1, le=10**9, description="Only what follows this id")] = -1,
    last_event_id: Annotated[LastEventId | None, Header(description="Resumes a stream after it")] = None,
) -> Response | EventList:
    """List the transitions of a session; with `Accept: text/event-stream` go on live.

    The id of an event is the session's version: over a reconnect nothing is lost or repeated.
    """
    if STREAM in request.headers.get("accept", ""):
        begin = int(last_event_id) if last_event_id else after
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(parts, session.id, begin), headers=headers, media_type=STREAM)
    history = await parts.sessions.history(session.id, after) or []
    return EventList(events=[views.entry(document) for document in history])


async def _stream(parts: Parts, session_id: SessionId, seen: int) -> AsyncIterator[bytes]:
    """History from the database, whenever something woke us or a poll is due; a comment when nothing happens."""
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    clock = asyncio.get_running_loop().time
    spoke = clock()
    with parts.live.watch(session_id) as woken:
        while not parts.live.stopping.is_set():
            woken.clear()
            with suppress(Unreachable):
                history = await parts.sessions.history(session_id, seen)
                if history is None:
                    return
                for document in history:
                    yield views.server_sent(document)
                    seen, spoke = document["version"], clock()
            if clock() - spoke >= HEARTBEAT_SECONDS:
                yield b": still here\n\n"
                spoke = clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await woken.wait()
