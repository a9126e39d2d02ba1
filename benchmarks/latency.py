"""How long `create` and `async-status` take while a thousand sessions run: `make latency`.

On the native stack, with a simulator that takes as long as the providers do, so that all sessions are under way at
once. Requests come at a rate, whether or not those before them were answered: a slow answer delays no later question.
"""

import argparse
import asyncio
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.capacity import SESSIONS, start_all
from benchmarks.client import Client
from benchmarks.figures import at
from benchmarks.meter import Meter
from ekiden_native import Stack
from ekiden_native.ports import own_ports

RUNNING = ("THINKING", "EXECUTING", "INTEGRATING")


@dataclass
class Latency:
    """Milliseconds of each request of one kind."""

    name: str
    took: list[float] = field(default_factory=list[float])

    async def note(self, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
        began = time.perf_counter()
        (await ask()).raise_for_status()
        self.took.append(1000 * (time.perf_counter() - began))

    def __str__(self) -> str:
        p50, p99 = (at(self.took, share) for share in (0.5, 0.99))
        return f"{self.name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(self.took):.0f} ms, of {len(self.took)}"


async def at_rate(seconds: float, a_second: float, ask: Callable[[], Awaitable[None]]) -> None:
    """Begin one every so often, for so long; return when all are answered."""
    async with asyncio.TaskGroup() as asked:
        began = time.monotonic()
        for n in range(round(seconds * a_second)):
            await asyncio.sleep(began + n / a_second - time.monotonic())
            asked.create_task(ask())  # type: ignore[arg-type]


async def ids(api: httpx.AsyncClient) -> list[str]:
    """The sessions that are under way."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 100, "status": RUNNING} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"{SESSIONS}/", params=params)).raise_for_status().json()
        found += [session["sessionId"] for session in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            return found


async def measure(sessions: int, seconds: float, statuses: float, creates: float) -> None:
    env = {**own_ports(), "EKIDEN_SIMULATOR_TIME_SCALE": "1", "EKIDEN_LOG_LEVEL": "warning"}
    status, create, start = Latency("async-status"), Latency("create"), Latency("create with start")
    with tempfile.TemporaryDirectory() as root:
        stack = Stack(Path(root), env=env)
        try:
            await asyncio.to_thread(stack.up, 180.0)
            limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
            async with Client(stack.env["EKIDEN_GATEWAY_URL"]) as client:
                accepted = sessions / await start_all(client, sessions)
            async with httpx.AsyncClient(base_url=stack.env["EKIDEN_GATEWAY_URL"], timeout=60, limits=limits) as api:
                running = await ids(api)

                async def look() -> None:
                    path = f"{SESSIONS}/{random.choice(running)}/async-status"
                    await status.note(lambda: api.get(path))

                async def begin(noted: Latency, *, start: bool) -> None:
                    body = {"theme": f"latency {time.monotonic_ns()}", "language": "en", "start": start}
                    await noted.note(lambda: api.post(f"{SESSIONS}/create", json=body))

                meter = Meter.of(stack.pid("gateway"))
                await asyncio.gather(
                    at_rate(seconds, statuses, look),
                    at_rate(seconds, creates / 2, lambda: begin(create, start=False)),
                    at_rate(seconds, creates / 2, lambda: begin(start, start=True)),
                )
                used = meter.read()
                left = len(await ids(api))
        finally:
            await asyncio.to_thread(stack.down, wipe=True)
    loads = os.getloadavg()
    print(
        f"machine: {platform.machine()}, {os.cpu_count()} cores, load {loads[0]:.1f}; {len(running)} to {left} running"
    )
    print(f"{accepted:.0f} sessions/s created and started over HTTP while they began to run")
    print(*(status, create, start), sep="\n")
    asked = sum(len(kind.took) for kind in (status, create, start))
    print(f"gateway: {1000 * used.cpu_seconds / asked:.1f} ms of processor a request, {used.mib:.0f} MiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--statuses", type=float, default=50.0, help="async-status requests a second")
    parser.add_argument("--creates", type=float, default=4.0, help="create requests a second, half of them with start")
    asked = parser.parse_args()
    asyncio.run(measure(asked.sessions, asked.seconds, asked.statuses, asked.creates))
    return 0


if __name__ == "__main__":
    sys.exit(main())
