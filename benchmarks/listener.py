"""A listener to a session's events as a browser is one: it comes back with the id of what it has seen last."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

RECONNECT_SECONDS = (0.5, 2.0)
"""As long as the gateway asks for; a browser does as it is told."""
_CLOSED = (ConnectionError, asyncio.IncompleteReadError)


@dataclass
class Listener:
    """Keeps what arrived: the ids in their order, and how long after the transition each one came.

    The socket is read by hand, because a thousand of these share a process and must not be what is measured.
    """

    host: str
    port: int
    path: str
    ids: list[int] = field(default_factory=list[int])
    delays: list[float] = field(default_factory=list[float])
    opened: int = 0
    """How often it was let in."""
    last_word: int = 0
    """The status of the answer that sent it away for good: 204 when the session is over."""

    @property
    def repeats(self) -> int:
        return len(self.ids) - len(set(self.ids))

    @property
    def gaps(self) -> int:
        """How many ids are missing between the first one possible and the last that came."""
        return sum(max(0, after - before - 1) for before, after in pairwise([-1, *self.ids]))

    async def listen(self) -> None:
        """Until the gateway says that nothing follows."""
        while not self.last_word:
            with suppress(*_CLOSED):
                await self._once()
            await asyncio.sleep(random.uniform(*RECONNECT_SECONDS))

    async def _once(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        try:
            resume = f"Last-Event-ID: {self.ids[-1]}\r\n" if self.ids else ""
            asked = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: text/event-stream\r\n{resume}\r\n"
            writer.write(asked.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            if status != 200:
                self.last_word = status if status < 500 else 0
                return
            self.opened += 1
            async for line in _lines(reader):
                if line.startswith(b"data: {") and (entry := json.loads(line[6:])):  # `end` tells of nothing
                    self.ids.append(entry["id"])
                    self.delays.append(time.time() - datetime.fromisoformat(entry["at"]).timestamp())
        finally:
            writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a chunked answer, to its end."""
    left = b""
    while size := int(await reader.readline() or b"0", 16):
        *lines, left = (left + await reader.readexactly(size)).split(b"\n")
        await reader.readexactly(2)
        for line in lines:
            yield line
