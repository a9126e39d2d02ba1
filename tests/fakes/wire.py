"""The far end of the client's wire, and a clock that stands still: what a gateway cannot be made to do at will."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx

from ekiden_client import EkidenClient, Patience
from ekiden_client.patience import USUAL

Step = httpx.Response | httpx.HTTPError | Callable[[], httpx.Response]


class HandMovedClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)  # others have their turn, as in any sleep


class Wire(httpx.AsyncBaseTransport):
    """Answers one request after the other from a script; the last step answers all that follow."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.clock = HandMovedClock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, headers=step.headers, content=step.content)
        return step()

    def client(self, patience: Patience = USUAL) -> EkidenClient:
        return EkidenClient("http://gateway", key="", transport=self, clock=self.clock, patience=patience)

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("idempotency-key") for request in self.requests}


class CutStream(httpx.AsyncByteStream):
    """Sends pieces, and then the connection is cut; or it ends in order."""

    def __init__(self, *pieces: str, cut: bool = True) -> None:
        self._pieces = pieces
        self._cut = cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece.encode()
        if self._cut:
            raise httpx.ReadError("cut")
