"""How a process is asked whether it works: one short question, answered yes or no."""

import asyncio
from collections.abc import Awaitable, Callable

from ekiden_native.ports import LOOPBACK

Probe = Callable[[], Awaitable[bool]]
"""Return True when the process does its work. Returns False, and raises nothing, while it does not."""

_ANSWER_SECONDS = 2.0


def accepts(port: int) -> Probe:
    """Ask for a connection and nothing else."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(LOOPBACK, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe


def answers_ok(port: int, path: str) -> Probe:
    """Ask over HTTP, and take only status 200 for a yes."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await _status(port, path) == b"200"
        except (OSError, TimeoutError):
            return False

    return probe


async def _status(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split(maxsplit=2)
        return words[1] if len(words) > 1 else b""
    finally:
        writer.close()
