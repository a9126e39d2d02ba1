"""The way to a provider on real sockets: one deadline, one connection, one try, and an end to what is read."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import h11
import httpcore
import httpx
import pytest

from ekiden.errors import (
    NotBought,
    OutcomeUnknown,
    ProviderUnavailable,
    RequestRejected,
)
from ekiden.worker import http as http_module
from ekiden.worker.decoding import decode
from ekiden.worker.http import FIRST_BYTE, KEEPALIVE_SECONDS, MOST_BYTES, ProviderClient
from tests.unit.worker.test_http import walk
from tests.unit.worker.wire import fence

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TLS_HELLO = b"\x16"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PATIENCE = 60.0
"""Seconds after which a test that still waits has failed; what is proven is never how fast something is."""


class Seen:
    """What a server has met."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.url = ""
        self.left = asyncio.Event()
        """The client has hung up while it was being answered."""


@asynccontextmanager
async def serving(talk: Talk) -> AsyncGenerator[Seen]:
    """A server that reads one request after the other from each connection, and lets `talk` answer."""
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (first := await reader.readexactly(1)) != TLS_HELLO:
                head = first + await reader.readuntil(b"\r\n\r\n")
                seen.heads.append(head)
                fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
                length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
                await reader.readexactly(length)
                await talk(reader, writer)
        seen.left.set()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield seen


def saying(answer: bytes) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return talk


@asynccontextmanager
async def to(url: str, *, reuse: bool = True) -> AsyncGenerator[ProviderClient]:
    client = ProviderClient(url, {"Authorization": "Bearer key"}, connections=2, reuse=reuse)
    try:
        async with asyncio.timeout(PATIENCE):
            yield client
    finally:
        await client.close()


# ── every exception ──────────────────────────────────────────────────────────────────────────────────────

LIBRARIES = ("httpx", "httpcore", "h11", "anyio", "ssl", "socket")
LOADED = (httpx, httpcore, h11, anyio, ssl, socket)
"""Whatever of these may fail under a call: httpx lets ssl's and h11's own through in places (httpcore 1.0)."""
LEAKING = sorted(
    {
        kind
        for kind in walk(Exception)
        if kind.__module__.split(".")[0] in LIBRARIES and not kind.__name__.startswith("_")
    },
    key=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
PLAIN = [OSError, ConnectionResetError, TimeoutError, EOFError, ValueError, TypeError, RuntimeError, RecursionError]


def failing(kind: type[Exception], *, after_the_fence: bool) -> ProviderClient:
    async def handle(request: httpx.Request) -> httpx.Response:
        if after_the_fence:
            await request.extensions["trace"](FIRST_BYTE, {})
        raise made(kind, request)

    return ProviderClient("http://provider", {}, connections=1, transport=httpx.MockTransport(handle))


def made(kind: type[Exception], request: httpx.Request) -> Exception:
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("raised", request=request, response=httpx.Response(500))
    with suppress(TypeError):
        return kind("raised")
    return kind()


def test_the_walk_finds_the_exceptions_of_every_library_under_a_call() -> None:
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in LEAKING}
    assert names >= {
        "httpx.ReadError",
        "httpcore.ReadError",
        "h11.LocalProtocolError",
        "ssl.SSLError",
        "anyio.EndOfStream",
    }
    for library in (httpx, httpcore):
        public = {getattr(library, name) for name in library.__all__}
        assert {kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)} <= set(LEAKING)


@pytest.mark.parametrize("kind", [*LEAKING, *PLAIN], ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
async def test_no_exception_of_a_library_gets_past_the_client(kind: type[Exception]) -> None:
    for after, expected in ((False, NotBought), (True, OutcomeUnknown)):
        with pytest.raises(expected):
            await failing(kind, after_the_fence=after).post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        with pytest.raises(ProviderUnavailable):
            await failing(kind, after_the_fence=False).ask("GET", "/", deadline_seconds=PATIENCE)


@pytest.mark.parametrize("body", [{"text": "\ud83c"}, {"number": float("nan")}, {"object": object()}])
async def test_a_body_that_cannot_be_written_is_that_request_s_own_mistake(body: dict[str, object]) -> None:
    with pytest.raises(RequestRejected):
        await failing(RuntimeError, after_the_fence=True).post("/", body, deadline_seconds=PATIENCE, fence=fence())


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secret\r\nX: y", "sk-sécret", "sk-\0secret"])
def test_a_key_that_cannot_be_sent_stops_at_the_start_and_is_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        ProviderClient("http://provider", {"Authorization": f"Bearer {key}"}, connections=1)
    assert "cret" not in str(caught.value)


# ── one deadline ─────────────────────────────────────────────────────────────────────────────────────────


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte every twentieth of a second, without end: no gap is ever long enough for a time-out between bytes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def drip_a_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.05)


async def only_continue(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("talk", [drip, drip_a_head, only_continue])
async def test_a_reply_that_trickles_in_ends_at_the_deadline_as_unknown(talk: Talk) -> None:
    async with serving(talk) as seen, to(seen.url) as client:
        with pytest.raises(OutcomeUnknown, match="TimeoutError"):
            await client.post("/", {}, deadline_seconds=1.0, fence=fence())
        await seen.left.wait()  # and the connection with it: it is not used for the next call
        assert seen.connections == 1


async def test_a_poll_that_trickles_in_is_asked_again() -> None:
    async with serving(drip) as seen, to(seen.url) as client:
        with pytest.raises(ProviderUnavailable, match="TimeoutError"):
            await client.ask("GET", "/", deadline_seconds=1.0)


# ── an end to what is read ───────────────────────────────────────────────────────────────────────────────


async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await writer.drain()


async def test_a_reply_without_end_is_read_no_further_than_the_bound() -> None:
    async with serving(flood) as seen, to(seen.url) as client:
        with pytest.raises(OutcomeUnknown, match="ReplyTooLarge"):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        with pytest.raises(ProviderUnavailable, match="ReplyTooLarge"):
            await client.ask("GET", "/", deadline_seconds=PATIENCE)


async def test_the_bound_holds_for_what_unpacks_to_more_than_was_sent() -> None:
    packed = gzip.compress(b" " * (MOST_BYTES + 1))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with serving(saying(head + packed)) as seen, to(seen.url) as client:
        with pytest.raises(OutcomeUnknown, match="ReplyTooLarge"):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())


async def test_a_reply_at_the_bound_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MOST_BYTES", 2)
    async with serving(saying(WHOLE)) as seen, to(seen.url) as client:
        assert (await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())).json == {}


# ── one connection, one try ──────────────────────────────────────────────────────────────────────────────


async def test_the_connection_is_kept_alive_by_the_system() -> None:
    async with serving(saying(WHOLE)) as seen, to(seen.url) as client:
        await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        transport = client._client._transport
        assert isinstance(transport, httpx.AsyncHTTPTransport)
        [connection] = transport._pool.connections
        raw = connection._connection._network_stream.get_extra_info("socket")  # pyright: ignore[reportUnknownVariableType, reportAttributeAccessIssue] - the one way to the socket
        assert isinstance(raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), int)
        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_SECONDS
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == KEEPALIVE_SECONDS


async def test_what_must_not_meet_a_stale_connection_has_one_of_its_own() -> None:
    async with serving(saying(WHOLE)) as seen:
        for reuse, connections in ((True, 1), (False, 4)):
            async with to(seen.url, reuse=reuse) as client:
                for _ in range(3):
                    await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
            assert seen.connections == connections


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("status", [b"500 No", b"503 No", b"429 No", b"408 No", b"307 Elsewhere", b"301 Elsewhere"])
async def test_an_answer_is_an_answer_and_nothing_is_sent_twice(status: bytes) -> None:
    answer = b"HTTP/1.1 %s\r\nLocation: /elsewhere\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % status
    async with serving(saying(answer)) as seen, to(seen.url) as client:
        reply = await client.post("/once", {}, deadline_seconds=PATIENCE, fence=fence())
        assert reply.status == int(status[:3])
        assert [head.split(b"\r\n")[0] for head in seen.heads] == [b"POST /once HTTP/1.1"]


async def test_a_call_that_was_cut_off_is_not_sent_again() -> None:
    async with serving(hang_up) as seen, to(seen.url) as client:
        with pytest.raises(OutcomeUnknown):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        assert (seen.connections, len(seen.heads)) == (1, 1)


async def test_a_refused_connection_is_tried_once_at_each_address(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, tried = asyncio.get_running_loop(), list[str]()
    connect = loop.create_connection

    async def watched(factory: object, host: str, port: int, **more: object) -> object:
        tried.append(host)
        return await connect(factory, host, port, **more)  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType] - passed on as it came

    monkeypatch.setattr(loop, "create_connection", watched)
    async with serving(saying(WHOLE)) as seen:
        url = seen.url
    async with to(url) as client:
        with pytest.raises(ProviderUnavailable):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
    assert tried == ["127.0.0.1"]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"])
async def test_a_proxy_of_the_environment_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hang_up) as proxy, serving(saying(WHOLE)) as seen:
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        async with to(seen.url) as client:
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        assert (proxy.connections, seen.connections) == (0, 1)


async def test_only_http_1_1_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fence stands in HTTP/1.1: over HTTP/2 a call would pass it unseen."""
    offered: list[list[str]] = []
    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", lambda _, names: offered.append(names))
    async with serving(hang_up) as seen, to(seen.url.replace("http:", "https:")) as client:
        with pytest.raises(NotBought):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
    assert offered == [["http/1.1"]]


async def test_a_certificate_of_a_stranger_is_not_bought_from() -> None:
    async with serving(saying(WHOLE)) as seen, to(seen.url.replace("http:", "https:")) as client:
        with pytest.raises(NotBought):
            await client.post("/", {}, deadline_seconds=PATIENCE, fence=fence())
        assert seen.heads == []


# ── JSON that can be stored ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, "\\ud83c"]}', {"a": [1, "�"]}),
        ('{"\\ud83c\\u0000": 1}', {"��": 1}),
        ('"\\ud83c\\udf75 tea"', "🍵 tea"),
        ('"\\\\ud83c"', "\\ud83c"),
        ("123456789012345678", 123456789012345678),
        ("1234567890123456789012", 1.2345678901234568e21),
    ],
)
def test_json_is_read_as_it_can_be_stored(text: str, value: object) -> None:
    assert decode(text) == value


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"a":' * 100_000, "{", "tea"])
def test_what_is_no_json_says_so_and_crashes_nobody(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)
