"""A proxy before the gateway, as there are many: it passes everything on, or says that nobody is behind it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ekiden_native.ports import LOOPBACK

Refusal = Callable[[str], int | None]
"""The status with which the request line of a new connection is answered; None passes it on."""


def nothing(_: str) -> None:
    return None


@dataclass
class Proxy:
    """`refuses` may be changed while it runs; `cut` ends all connections that it has passed on."""

    gateway: str
    refuses: Refusal = nothing
    refused: int = 0
    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Proxy"]:
        server = await asyncio.start_server(self._serve, LOOPBACK)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def go_away(self, status: int) -> None:
        """From now on nobody is behind it."""
        self.refuses = lambda _: status
        self.cut()

    def come_back(self) -> None:
        self.refuses = nothing

    def cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection, so that each of them is asked about."""
        self._open.add(writer)
        with suppress(OSError, EOFError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            if (status := self.refuses(line.decode("latin-1"))) is not None:
                self.refused += 1
                body = b"<h1>Nobody is behind this proxy</h1>"
                answer = f"HTTP/1.1 {status} Away\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
                writer.write(answer.encode() + b"Connection: close\r\n\r\n" + body)
                await writer.drain()
            else:
                await self._pass(line + b"\r\nConnection: close\r\n" + _without_connection(rest), reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _pass(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(self.gateway)
        behind, to = await asyncio.open_connection(place.hostname, place.port)
        self._open.add(to)
        to.write(head)
        asking = asyncio.create_task(_pump(reader, to))
        try:
            await _pump(behind, writer)
        finally:
            asking.cancel()
            self._open.discard(to)
            to.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


def _without_connection(head: bytes) -> bytes:
    rows = head.split(b"\r\n")
    return b"\r\n".join(row for row in rows if not row.lower().startswith(b"connection:"))
