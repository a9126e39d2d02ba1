"""A thousand listeners at one gateway: `make listeners`.

On the native stack, with real sessions. What the listeners cost in memory; whether each of them gets every event, and
how long after the transition; then the gateway is killed while the sessions run, and each has to go on where it was.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pymongo import AsyncMongoClient
from yarl import URL

from benchmarks.capacity import SESSIONS
from benchmarks.figures import at
from benchmarks.listener import Listener
from benchmarks.meter import Meter
from ekiden_native import Stack
from ekiden_native.ports import own_ports

CONNECTING_AT_ONCE = 50
IDLE_SECONDS = 20.0
Document = dict[str, Any]


class Crowd:
    """All listeners, as many to each session."""

    def __init__(self, url: str, sessions: Sequence[str], listeners: int) -> None:
        address = URL(url)
        paths = [f"{SESSIONS}/{sessions[n % len(sessions)]}/events" for n in range(listeners)]
        self.sessions = sessions
        self.listeners = [Listener(address.host or "", address.port or 0, path) for path in paths]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[asyncio.Future[list[None]]]:
        """Give what is done when the last of them was told that nothing follows."""
        places = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def listen(one: Listener) -> None:
            async with places:
                listening = asyncio.create_task(one.listen())
                await until(lambda: bool(one.ids))
            await listening

        everybody = asyncio.gather(*map(listen, self.listeners))
        try:
            await until(lambda: all(one.ids for one in self.listeners))
            yield everybody
        finally:
            everybody.cancel()

    def report(self, versions: dict[str, int], what: str, behind: float) -> bool:
        """Print what arrived; whether that is everything, once."""
        missed = sum(one.ids[-1] != versions[one.path.split("/")[-2]] for one in self.listeners)
        gaps, repeats = (sum(getattr(one, kind) for one in self.listeners) for kind in ("gaps", "repeats"))
        events = sum(len(one.ids) for one in self.listeners)
        print(f"{what}: {events} events to {len(self.listeners)} listeners of {len(self.sessions)} sessions;", end=" ")
        print(f"{gaps} missing, {repeats} repeated, {missed} listeners without the last one")
        delays = [1000 * delay for one in self.listeners for delay, n in zip(one.delays, one.ids, strict=True) if n > 0]
        told = f"p50 {at(delays, 0.5):.0f} ms, p99 {at(delays, 0.99):.0f} ms, most {max(delays):.0f} ms"
        print(f"    from the transition to its arrival: {told}" + f"; all back after {behind:.1f} s" * bool(behind))
        return not (missed or gaps or repeats)


async def until(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a thousand listeners would each have to say so
            await asyncio.sleep(0.02)


async def create(api: httpx.AsyncClient, count: int) -> list[str]:
    bodies = [{"theme": f"listeners {n} {time.monotonic_ns()}", "language": "en"} for n in range(count)]
    return [(await api.post(f"{SESSIONS}/create", json=body)).raise_for_status().json()["sessionId"] for body in bodies]


async def start(api: httpx.AsyncClient, session_id: str) -> None:
    """However often it takes: the gateway may be down."""
    while True:
        try:
            (await api.post(f"{SESSIONS}/{session_id}/process-async")).raise_for_status()
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
        else:
            return


async def listen(stack: Stack, api: httpx.AsyncClient, sessions: int, listeners: int, *, kill: bool) -> bool:
    made = await create(api, sessions)
    pid = stack.pid("gateway")
    before = _resident(pid)
    crowd = Crowd(stack.env["EKIDEN_GATEWAY_URL"], made, listeners)
    async with crowd.listening() as everybody:
        if not kill:
            held, meter = _resident(pid) - before, Meter.of(pid)
            await asyncio.sleep(IDLE_SECONDS)
            print(f"gateway: {before:.0f} MiB before, {before + held:.0f} MiB with {listeners} listeners:", end=" ")
            print(f"{1024 * held / listeners:.0f} KiB a listener; {100 * meter.read().core:.1f} % of a core while idle")
        starting = asyncio.gather(*(start(api, session_id) for session_id in made))
        back = 0.0
        if kill:
            await until(lambda: sum(len(one.ids) >= 6 for one in crowd.listeners) * 3 > listeners)  # in mid-load
            opened = {id(one): one.opened for one in crowd.listeners}
            await asyncio.to_thread(stack.kill, "gateway")
            killed = time.monotonic()
            await until(lambda: all(one.opened > opened[id(one)] or one.last_word for one in crowd.listeners))
            back = time.monotonic() - killed
        await starting
        await everybody
    mongo: AsyncMongoClient[Document] = AsyncMongoClient(stack.env["EKIDEN_MONGODB_URL"])
    found = mongo["ekiden"]["sessions"].find({"_id": {"$in": made}}, {"version": 1})
    versions = {row["_id"]: row["version"] async for row in found}
    await mongo.close()
    return crowd.report(versions, "the gateway was killed" if kill else "undisturbed", back)


async def measure(sessions: int, listeners: int) -> bool:
    env = {**own_ports(), "EKIDEN_SIMULATOR_TIME_SCALE": "0.05", "EKIDEN_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as root:
        stack = Stack(Path(root), env=env)
        try:
            await asyncio.to_thread(stack.up, 180.0)
            async with httpx.AsyncClient(base_url=stack.env["EKIDEN_GATEWAY_URL"], timeout=60) as api:
                await create(api, 2)  # what is made once is made
                whole = [await listen(stack, api, sessions, listeners, kill=kill) for kill in (False, True)]
        finally:
            await asyncio.to_thread(stack.down, wipe=True)
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    return all(whole)


def _resident(pid: int) -> float:
    """MiB at the moment."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--listeners", type=int, default=1000)
    asked = parser.parse_args()
    return 0 if asyncio.run(measure(asked.sessions, asked.listeners)) else 1


if __name__ == "__main__":
    sys.exit(main())
