"""A receiver of webhooks on a port of its own, over TLS or not, that does as it is told: badly, mostly."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """One request: its line, its headers in lower case, and its body."""

    line: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`behaves` answers each request; it may be changed while it runs. `port` is 0 until it listens."""

    host: str = "127.0.0.1"
    behaves: Behaviour = field(default_factory=lambda: answer(200, "ok"))
    received: list[Received] = field(default_factory=list[Received])
    names: list[str | None] = field(default_factory=list[str | None])
    """What clients called it in TLS."""
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0

    def url(self, name: str | None = None, scheme: str = "http", path: str = "/hook") -> str:
        return f"{scheme}://{name or self.host}:{self.port}{path}"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None, port: int = 0) -> AsyncGenerator["Receiver"]:
        if context is not None:
            context.sni_callback = lambda _, name, __: self.names.append(name)
        server = await asyncio.start_server(self._serve, self.host, port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in head[1:] if row)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.received.append(Received(head[0], headers, body.decode()))
            await self.behaves(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            self.at_once -= 1
            writer.close()


def answer(status: int, body: str = "", **headers: str) -> Behaviour:
    """Answer as a server does; a header `retry_after` becomes `retry-after`."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rows = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        length = len(body.encode())
        writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n{rows}\r\n{body}".encode())
        await writer.drain()

    return behave


def cut(text: str = "") -> Behaviour:
    """Write this much, and cut the connection."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        await writer.drain()

    return behave


def hang(text: str = "") -> Behaviour:
    """Write this much, and no more until the other side has gone."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        await writer.drain()
        await reader.read()

    return behave


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is read."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x" * 65_536)
        await writer.drain()
