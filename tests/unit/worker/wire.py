"""A provider's replies, and the way to an adapter without a network."""

import json as json_module
from collections.abc import Callable, Mapping

import httpx

from ekiden.worker.adapter import Call
from ekiden.worker.http import ProviderClient, Reply
from ekiden.worker.lease import Fence, Leases


def reply(
    status: int, body: object = None, *, text: str | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """A reply with a JSON body, or with a `text` that is none."""
    if text is None:
        return Reply(status, httpx.Headers(headers), json_module.dumps(body), body)
    return Reply(status, httpx.Headers(headers), text, None)


def error(status: int, *, headers: Mapping[str, str] | None = None, **fields: object) -> Reply:
    """A reply with the provider's own error object."""
    return reply(status, {"error": {"message": "no", **fields}}, headers=headers)


def fence(clock: Callable[[], float] = lambda: 0.0) -> Fence:
    return Leases(clock).fence(0.0)


def client(answer: Callable[[httpx.Request], httpx.Response]) -> ProviderClient:
    """A client whose transport reaches the fence as httpcore does, and then answers."""

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
            return answer(request)

    return ProviderClient("http://provider", {}, connections=1, transport=Transport())


def call(**request: object) -> Call:
    return Call("the-task", 2, {"system": "Be brief.", "user": "Why?", "maxOutputTokens": 100, **request})
