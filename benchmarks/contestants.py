"""Who takes part in `make bench`: what each of them can do, and the peers, in processes of their own."""

import asyncio
import json
import math
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PEERS = Path(__file__).parent / "peers"
STEPS = 13
"""Calls of a session: ten of GPT, three searches; eleven of them one after the other."""
IN_FLIGHT, WARM_UP = 64, 16
"""Sessions at a time under load, and sessions run before anything is measured."""
READY_WITHIN_SECONDS, RAN_WITHIN_SECONDS, ENDS_WITHIN_SECONDS = 90.0, 900.0, 20.0
LONGEST_LINE = 2**26


@dataclass(frozen=True)
class Length:
    """How long a benchmark is: repeats, sessions of each, and of those that run one by one."""

    repeats: int
    sessions: int
    singles: int
    begun_within: float = math.inf
    """Seconds from the start after which no more repeats are begun; there is one in any case."""


QUICK, FULL, ALONE = Length(3, 64, 4, begun_within=50.0), Length(5, 384, 15), Length(3, 192, 10)
"""A quick one takes about two minutes, also on a machine on which a repeat takes 40 s in place of 15."""


@dataclass(frozen=True)
class Ran:
    """What so many sessions took: seconds over all, and of each from its order to its end."""

    seconds: float
    latencies: Sequence[float]

    @property
    def steps_per_second(self) -> float:
        return STEPS * len(self.latencies) / self.seconds


class Contestant(Protocol):
    name: str
    versions: dict[str, str]

    async def open(self) -> None:
        """Return when it can run sessions."""
        ...

    def pids(self) -> Mapping[str, int]:
        """Its own processes; broker and databases are the servers'."""
        ...

    async def run(self, sessions: int, in_flight: int) -> Ran:
        """Run so many sessions, `in_flight` at a time."""
        ...

    async def close(self) -> None: ...


async def run_all(session: Callable[[int], Awaitable[object]], sessions: int, in_flight: int) -> Ran:
    """Run sessions, so many at a time, and time each."""
    places, began = asyncio.Semaphore(in_flight), time.perf_counter()

    async def timed(n: int) -> float:
        async with places:
            ordered = time.perf_counter()
            await session(n)
            return time.perf_counter() - ordered

    latencies = await asyncio.gather(*map(timed, range(sessions)))
    return Ran(time.perf_counter() - began, latencies)


class Peer:
    """A script of `peers/`, run by the Python that has its packages; `speak.py` is the other end."""

    def __init__(self, name: str, script: str, python: Path, addresses: Mapping[str, str]) -> None:
        self.name, self.versions = name, dict[str, str]()
        self._script, self._python, self._env = PEERS / script, python, {**os.environ, **addresses}
        self._pids: Mapping[str, int] = {}

    async def open(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(self._python, self._script),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=PEERS,
            env=self._env,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        try:
            said = await self._heard(READY_WITHIN_SECONDS)
        except (RuntimeError, TimeoutError):
            await self.close()
            raise
        self._pids, self.versions = said["pids"], said["versions"]

    def pids(self) -> Mapping[str, int]:
        return self._pids

    async def run(self, sessions: int, in_flight: int) -> Ran:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"sessions": sessions, "inFlight": in_flight}).encode() + b"\n")
        said = await self._heard(RAN_WITHIN_SECONDS)
        return Ran(said["seconds"], said["latencies"])

    async def close(self) -> None:
        """Let it end what it is doing: it ends with its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN_SECONDS):
                await self._process.wait()
        with suppress(ProcessLookupError):  # whom it has started and left
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _heard(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {await self._process.wait()}")
        return json.loads(line)
