"""What the peers share: the session, how they are told what to run, and how the end of a session is heard of."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

ANSWER = "a" * 400
"""What every provider of every contestant answers, at once."""
GPT_BEFORE, SEARCHES, GPT_AFTER = 1, 3, 9
"""A session: one call, three beside each other, and nine more in a row."""
ENDS = "BENCH_ENDS"

Run = Callable[[int, int], Awaitable[list[float]]]


async def run_all(session: Callable[[int], Awaitable[object]], sessions: int, in_flight: int) -> list[float]:
    """Run so many sessions, `in_flight` at a time; the seconds that each took."""
    places = asyncio.Semaphore(in_flight)

    async def timed(n: int) -> float:
        async with places:
            began = time.perf_counter()
            await session(n)
            return time.perf_counter() - began

    return await asyncio.gather(*map(timed, range(sessions)))


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


async def serve(run: Run, pids: Mapping[str, int], versions: Mapping[str, str]) -> None:
    """Say that we are ready, then run whatever is asked for until standard input ends."""
    say(pids=dict(pids), versions=dict(versions))
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        began = time.perf_counter()
        latencies = await run(asked["sessions"], asked["inFlight"])
        say(seconds=time.perf_counter() - began, latencies=latencies)


class Ends:
    """Where worker processes tell the one that ordered a session that it has ended: datagrams, so that nobody polls."""

    def __init__(self) -> None:
        os.environ[ENDS] = str(Path(tempfile.mkdtemp()) / "ends")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(os.environ[ENDS])
        self._socket.setblocking(False)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def of(self, session: str) -> asyncio.Future[None]:
        """Done when this one has ended; to be asked for before it is ordered."""
        self._waiting[session] = ended = asyncio.get_running_loop().create_future()
        return ended

    def _hear(self) -> None:
        if (ended := self._waiting.pop(self._socket.recv(200).decode(), None)) is not None:
            ended.set_result(None)


def tell_end(session: str) -> None:
    """Called in a worker process, which has the address from its environment."""
    _outgoing.sendto(session.encode(), os.environ[ENDS])


_outgoing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
