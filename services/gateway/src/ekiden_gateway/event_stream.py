"""Server-sent events as an answer: FastAPI's response, with events that many listeners share.

A route that yields to FastAPI's own loop can answer nothing else, and each of its listeners has three tasks and an
encoding to itself. So its response and its encoding are used here, and its loop is not.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from fastapi.sse import EventSourceResponse
from starlette.requests import Request
from starlette.types import Send

from ekiden.errors import Unreachable
from ekiden_gateway.documented import Responses

STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""The second is nginx's: it passes on what it gets at once, whatever its configuration says of buffering."""
ASKED_SECONDS = 10.0
"""Less than between two signs of life: each of them asks whether to go on, and now and then an event does."""
MayGoOn = Callable[[], Awaitable[bool]]
"""Whether the one who listens may; what raises Unreachable has not said no."""


class EventStream(EventSourceResponse):
    """Closes `events` when the client has gone, whatever they were doing, and ends when it may not go on."""

    def __init__(self, events: AsyncGenerator[bytes], may_go_on: MayGoOn) -> None:
        self._events = as_long_as(may_go_on, events)
        super().__init__(self._events, headers=HEADERS)

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


async def as_long_as(may_go_on: MayGoOn, events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Give what `events` give until it may not go on, which is asked before one of them is given."""
    clock = asyncio.get_running_loop().time
    asked = clock()
    async with aclosing(events):
        async for sent in events:
            if clock() - asked >= ASKED_SECONDS:
                asked = clock()
                with suppress(Unreachable):
                    if not await may_go_on():
                        return
            yield sent


def is_asked_for(request: Request) -> bool:
    return STREAM in request.headers.get("accept", "")


def streamed(description: str, example: str) -> Responses:
    """An answer that is a stream for those who ask for one."""
    content = {STREAM: {"schema": {"type": "string"}, "examples": {"one": {"value": example}}}}
    return {200: {"description": description, "content": content}}
