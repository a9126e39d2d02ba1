"""Server-sent events as an answer: FastAPI's response, with events that many listeners share.

A route that yields to FastAPI's own loop can answer nothing else, and each of its listeners has three tasks and an
encoding to itself. So its response and its encoding are used here, and its loop is not.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi.sse import EventSourceResponse
from starlette.requests import Request
from starlette.types import Send

from ekiden_gateway.documented import Responses

STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""The second is nginx's: it passes on what it gets at once, whatever its configuration says of buffering."""


class EventStream(EventSourceResponse):
    """Closes `events` when the client has gone, whatever they were doing."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__(events, headers=HEADERS)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


def is_asked_for(request: Request) -> bool:
    return STREAM in request.headers.get("accept", "")


def streamed(description: str, example: str) -> Responses:
    """An answer that is a stream for those who ask for one."""
    content = {STREAM: {"schema": {"type": "string"}, "examples": {"one": {"value": example}}}}
    return {200: {"description": description, "content": content}}
