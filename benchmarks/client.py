"""A client of the gateway that costs next to nothing: callers of a real one have processors of their own.

On one machine whatever the client takes is taken from what is measured. httpx takes 2.7 ms of processor time for a
request, as much as the gateway does to answer it; this takes a tenth of that, because it speaks only as much HTTP/1.1
as one server that is known needs: connections that are kept, JSON both ways, an answer whose length is told.
"""

import asyncio
import json
import time
from typing import Any, Self
from urllib.parse import urlsplit

ANSWERED_WITHIN_SECONDS = 60.0
KEPT_SECONDS = 2.0
"""Well below the time after which the gateway closes a connection, so that none is closed while it is taken up."""
Document = dict[str, Any]
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """As many connections as there are requests at a time."""

    def __init__(self, url: str) -> None:
        """`url` has a host and a port, and no path."""
        at = urlsplit(url)
        assert at.hostname is not None
        assert at.port is not None
        self._host, self._port = at.hostname, at.port
        self._idle = list[tuple[float, _Connection]]()

    async def post(self, path: str, body: Document) -> Document:
        """The answer's body. Raises RuntimeError when it is no 2xx; without one OSError, EOFError, TimeoutError."""
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
        status, answer = await self._exchange(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        if not status.startswith("http/1.1 2"):
            raise RuntimeError(f"{path}: {status}: {answer.decode()}")
        return json.loads(answer)

    async def _exchange(self, request: bytes) -> tuple[str, bytes]:
        connection = reader, writer = await self._connection()
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                writer.write(request)
                status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().splitlines()
                fields = dict(line.split(": ", 1) for line in lines if line)
                answer = await reader.readexactly(int(fields["content-length"]))
        except BaseException:  # what comes later on this connection would answer another request
            writer.close()
            raise
        self._idle.append((time.monotonic(), connection))
        return status, answer

    async def _connection(self) -> _Connection:
        """One that is kept, but for those that the server has closed since, or soon will."""
        while self._idle:
            since, (reader, writer) = self._idle.pop()
            if not reader.at_eof() and time.monotonic() - since < KEPT_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)

    async def close(self) -> None:
        for _, (_, writer) in self._idle:
            writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
