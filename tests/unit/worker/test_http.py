"""The one way to a provider: whatever httpx raises becomes one of our words, and the fence tells which."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from ekiden.errors import Misconfigured, NotBought, NotSent, OutcomeUnknown, ProviderUnavailable
from ekiden.worker.http import FIRST_BYTE, ProviderClient
from ekiden.worker.lease import LEASE_SECONDS, SAFE_PART, Leases
from tests.unit.worker.wire import fence


def walk(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for child in kind.__subclasses__() for found in walk(child))]


ALL = sorted(
    {kind for root in (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) for kind in walk(root)},
    key=lambda kind: kind.__name__,
)
PUBLIC = {
    kind for name in httpx.__all__ if isinstance(kind := getattr(httpx, name), type) and issubclass(kind, Exception)
} - {httpx.CookieConflict}  # raised by reading cookies by name, which we never do


def made(kind: type[Exception], request: httpx.Request) -> Exception:
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("raised", request=request, response=httpx.Response(500))
    if kind in {httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead}:
        return kind()
    return kind("raised")


def raising(kind: type[Exception], *, after_the_fence: bool) -> ProviderClient:
    async def handle(request: httpx.Request) -> httpx.Response:
        if after_the_fence:
            await request.extensions["trace"](FIRST_BYTE, {})
        raise made(kind, request)

    return ProviderClient("http://provider", {}, connections=1, transport=httpx.MockTransport(handle))


def test_the_walk_knows_every_exception_of_httpx() -> None:
    assert set(ALL) >= PUBLIC


@pytest.mark.parametrize("kind", ALL)
async def test_what_goes_wrong_before_the_first_byte_was_not_bought(kind: type[Exception]) -> None:
    with pytest.raises(NotBought):
        await raising(kind, after_the_fence=False).post("/", {}, deadline_seconds=60, fence=fence())


@pytest.mark.parametrize("kind", ALL)
async def test_what_goes_wrong_after_the_first_byte_is_unknown(kind: type[Exception]) -> None:
    with pytest.raises(OutcomeUnknown):
        await raising(kind, after_the_fence=True).post("/", {}, deadline_seconds=60, fence=fence())


@pytest.mark.parametrize("kind", ALL)
async def test_a_question_that_costs_nothing_can_always_be_asked_again(kind: type[Exception]) -> None:
    with pytest.raises(ProviderUnavailable):
        await raising(kind, after_the_fence=False).ask("GET", "/", deadline_seconds=5)


@pytest.mark.parametrize("address", ["nowhere", "ftp://provider"])
async def test_a_wrong_address_is_a_mistake_of_the_set_up(address: str) -> None:
    client = ProviderClient(address, {}, connections=1)
    with pytest.raises(Misconfigured):
        await client.post("/", {}, deadline_seconds=60, fence=fence())
    await client.close()


class Server:
    """Counts what it receives, and answers what it is told."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.received = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.answer is None:
            self.received += await reader.read()
        else:
            self.received += await reader.readuntil(b"{}")
            writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def a_server(answer: bytes | None) -> AsyncGenerator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


def aged(seconds: float) -> Leases:
    """Leases that were renewed so many seconds ago."""
    readings = [0.0]
    leases = Leases(lambda: readings[0])
    readings[0] = seconds
    return leases


async def test_a_lease_past_three_quarters_sends_nothing() -> None:
    async with a_server(None) as server:
        client = ProviderClient(server.url, {}, connections=1)
        with pytest.raises(NotSent):
            await client.post("/", {}, deadline_seconds=60, fence=aged(LEASE_SECONDS * SAFE_PART).fence(0.0))
        await client.close()
    assert server.received == b""


async def test_a_lease_within_three_quarters_sends() -> None:
    async with a_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as server:
        client = ProviderClient(server.url, {}, connections=1)
        answer = await client.post("/", {}, deadline_seconds=60, fence=aged(LEASE_SECONDS * SAFE_PART - 0.1).fence(0.0))
        await client.close()
    assert (answer.status, answer.json) == (200, {})


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"],
    ids=["nothing", "half a body", "no HTTP", "half a head"],
)
async def test_a_reply_that_does_not_arrive_whole_is_unknown(answer: bytes) -> None:
    async with a_server(answer) as server:
        client = ProviderClient(server.url, {}, connections=1)
        with pytest.raises(OutcomeUnknown):
            await client.post("/", {}, deadline_seconds=60, fence=fence())
        await client.close()


async def test_a_silent_provider_is_unknown_at_the_deadline() -> None:
    async with a_server(None) as server:
        client = ProviderClient(server.url, {}, connections=1)
        with pytest.raises(OutcomeUnknown):
            await client.post("/", {}, deadline_seconds=1.0, fence=fence())
        await client.close()


async def test_a_refused_connection_was_not_bought() -> None:
    async with a_server(None) as server:
        url = server.url
    client = ProviderClient(url, {}, connections=1)
    with pytest.raises(ProviderUnavailable):
        await client.post("/", {}, deadline_seconds=60, fence=fence())
    await client.close()


async def test_a_redirect_is_not_followed() -> None:
    async with a_server(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n") as server:
        client = ProviderClient(server.url, {}, connections=1)
        answer = await client.post("/", {}, deadline_seconds=60, fence=fence())
        await client.close()
    assert answer.status == 302


async def test_a_redirect_to_nowhere_is_unknown() -> None:
    async with a_server(b"HTTP/1.1 302 Found\r\nLocation: http://a:b\r\nContent-Length: 0\r\n\r\n") as server:
        client = ProviderClient(server.url, {}, connections=1)
        with pytest.raises(OutcomeUnknown):
            await client.post("/", {}, deadline_seconds=60, fence=fence())
        await client.close()


async def test_a_body_that_is_no_json_is_none() -> None:
    async with a_server(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>") as server:
        client = ProviderClient(server.url, {}, connections=1)
        answer = await client.post("/", {}, deadline_seconds=60, fence=fence())
        await client.close()
    assert (answer.json, answer.text) == (None, "<html>")
