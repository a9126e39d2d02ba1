"""A TCP proxy of our own, with toxics in the manner of Toxiproxy: what is done to the bytes on their way."""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol

LOOPBACK = "127.0.0.1"
_CHUNK = 65536
_RST = struct.pack("ii", 1, 0)  # SO_LINGER with no time left: closing sends a reset


class Toxic(Protocol):
    """What is done to every piece of bytes; `up` is the way to the server."""

    name: ClassVar[str]

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        """Write the bytes, or not. Raises ConnectionResetError to cut the connection."""
        ...


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


@dataclass(frozen=True)
class Clean:
    """Nothing is done."""

    name: ClassVar[str] = "nothing"

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        await _write(writer, data)


@dataclass(frozen=True)
class Latency:
    """Everything takes longer, by a time of its own."""

    name: ClassVar[str] = "latency"
    seconds: float = 0.2
    jitter: float = 0.1

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        await asyncio.sleep(random.uniform(self.seconds - self.jitter, self.seconds + self.jitter))
        await _write(writer, data)


@dataclass(frozen=True)
class BlackHole:
    """Bytes go in and none comes out: the connection stays open, and what was sent is lost for good."""

    name: ClassVar[str] = "black hole"

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Reset:
    """A TCP reset in the middle of what is being said, both ways."""

    name: ClassVar[str] = "reset"
    probability: float = 0.05

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        if random.random() < self.probability:
            await _write(writer, data[: len(data) // 2])
            raise ConnectionResetError
        await _write(writer, data)


@dataclass(frozen=True)
class Drip:
    """A few bytes at a time, with a pause after each."""

    name: ClassVar[str] = "slow drip"
    size: int = 100
    pause_seconds: float = 0.01

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        for start in range(0, len(data), self.size):
            await _write(writer, data[start : start + self.size])
            await asyncio.sleep(self.pause_seconds)


@dataclass(frozen=True)
class Narrow:
    """So many bytes a second, in slices of odd sizes."""

    name: ClassVar[str] = "narrow line"
    bytes_per_second: int = 64 * 1024

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        start = 0
        while start < len(data):
            size = random.randint(1, 1500)
            await _write(writer, data[start : start + size])
            start += size
            await asyncio.sleep(size / self.bytes_per_second)


@dataclass(frozen=True)
class CutReply:
    """What was asked gets through and is done; the reply is lost with the connection."""

    name: ClassVar[str] = "cut after accept"
    probability: float = 0.1

    async def carry(self, data: bytes, writer: asyncio.StreamWriter, *, up: bool) -> None:
        if not up and random.random() < self.probability:
            raise ConnectionResetError
        await _write(writer, data)


class Proxy:
    """Listens on a port of its own and passes everything on to one server, through the toxic of the moment."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream = upstream_port
        self._toxic: Toxic = Clean()
        self._touched: set[object] = set()
        self._poisoned: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._connected, LOOPBACK, port)

    async def close(self) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def poison(self, toxic: Toxic) -> None:
        self._toxic = toxic
        self._touched.clear()

    def heal(self) -> int:
        """Take the toxic away, with the connections whose bytes it holds. Answers how many connections it touched."""
        self._toxic = Clean()
        for held in list(self._poisoned):
            held.cancel()
        return len(self._touched)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            pass  # the proxy closes: asyncio's streams would log it as an error
        finally:
            self._open.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(LOOPBACK, self._upstream)
        except OSError:
            _reset(writer)
            return
        connection = object()
        ways = [
            asyncio.create_task(self._one_way(connection, reader, to_server, up=True)),
            asyncio.create_task(self._one_way(connection, from_server, writer, up=False)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            cut = any(way.cancelled() or way.exception() is not None for way in done)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, to_server):
            _reset(end) if cut else end.close()

    async def _one_way(
        self, connection: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        while data := await reader.read(_CHUNK):
            toxic = self._toxic
            if isinstance(toxic, Clean):
                await _write(writer, data)
                continue
            self._touched.add(connection)
            await self._held(toxic.carry(data, writer, up=up))

    async def _held(self, carrying: Awaitable[None]) -> None:
        """Let a toxic work, for as long as it lies on the proxy."""
        task = asyncio.ensure_future(carrying)
        self._poisoned.add(task)
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
            if (me := asyncio.current_task()) is not None and me.cancelling():
                raise
            raise ConnectionResetError from None  # healed: what was held is lost, and so is the connection
        finally:
            self._poisoned.discard(task)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()
