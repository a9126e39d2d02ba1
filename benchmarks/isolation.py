"""Do a thousand searches in flight slow the GPT calls down? `make isolation` measures it on the native stack.

Interleaved pairs in one run: the hand-off of GPT calls (result saved → next command at the broker) with nothing else to
do, then with a thousand searches of 70 real seconds under way in one perplexity-worker process, whose memory and
processor time are measured meanwhile. The searches go to a simulator of their own that is as slow as life.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import aio_pika
import httpx
from aio_pika.abc import AbstractIncomingMessage
from pymongo import AsyncMongoClient

from benchmarks.meter import Meter
from ekiden.broker.topology import COMMANDS
from ekiden.messages.envelope import SharedMessage
from ekiden.worker.polling import FIRST_PART, NEXT_PART
from ekiden_native import Stack
from ekiden_native.ports import free_port, own_ports

SESSIONS = "/api/viral/cot-session"
WORKFLOWS = Path(__file__).parent / "workflows"
SEARCHES_EACH = 3
CHAINS_AT_ONCE = 4
MEASURED_SECONDS = 45.0
"""So that all searches are under way for all of it: the shortest of the simulator's take 55 s."""
GPT_TIME_SCALE = "0.02"
MOST_P50, MOST_P99, OR_MORE_MS = 1.2, 2.0, 10.0
MOST_MIB, MOST_CORE = 256.0, 0.25
Document = dict[str, Any]


@dataclass
class Handoffs:
    """Milliseconds from the moment a result is saved to the moment its successor's command is at the broker."""

    told: dict[str, float] = field(default_factory=dict[str, float])
    """When the first command for a task was at the broker: Unix time."""

    async def note(self, message: AbstractIncomingMessage) -> None:
        for task in SharedMessage.model_validate_json(message.body).tasks:
            self.told.setdefault(task.task_id, time.time())

    def between(self, tasks: Sequence[Document]) -> list[float]:
        """Of one session's tasks, each of which waited for the one before it."""
        chain = sorted(tasks, key=lambda task: task["createdAt"])
        return [
            (self.told[later["_id"]] - earlier["finishedAt"].timestamp()) * 1000
            for earlier, later in pairwise(chain)
            if later["_id"] in self.told and earlier.get("finishedAt")
        ]


@dataclass
class Site:
    stack: Stack
    api: httpx.AsyncClient
    database: Any
    handoffs: Handoffs

    async def start(self, workflow: str, theme: str) -> str:
        body = {"theme": theme, "workflow": workflow, "language": "en", "start": True}
        answer = await self.api.post(f"{SESSIONS}/create", json=body)
        answer.raise_for_status()
        return str(answer.json()["sessionId"])

    async def until_ended(self, session_id: str) -> None:
        ended = {"_id": session_id, "status": "COMPLETED"}
        while not await self.database["sessions"].count_documents(ended):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)

    async def chain(self, seconds: float) -> list[float]:
        """Run GPT calls in a row, a few sessions beside each other, for so long; answer all hand-offs."""
        ends, ran = time.monotonic() + seconds, list[str]()

        async def one_after_another(n: int) -> None:
            while time.monotonic() < ends:
                ran.append(await self.start("chain", f"{n} {time.monotonic_ns()}"))
                await self.until_ended(ran[-1])

        await asyncio.gather(*map(one_after_another, range(CHAINS_AT_ONCE)))
        found: list[float] = []
        for session_id in ran:
            found += self.handoffs.between(await self.database["tasks"].find({"sessionId": session_id}).to_list())
        return found

    async def in_flight(self) -> int:
        return await self.database["tasks"].count_documents({"provider": "perplexity", "status": "SUBMITTED"})

    async def begin_searches(self, count: int) -> list[str]:
        """Start as many searches, and answer when all of them have their run id."""
        themes = [f"search {n} {time.monotonic_ns()}" for n in range(math.ceil(count / SEARCHES_EACH))]
        ids = [await self.start("searches", theme) for theme in themes]
        while await self.in_flight() < count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.2)
        return ids


@contextmanager
def slow_simulator() -> Generator[str]:
    """A simulator whose searches take as long as real ones; its address."""
    port = free_port(set())
    variables = {"EKIDEN_SIMULATOR_PORT": str(port), "EKIDEN_SIMULATOR_TIME_SCALE": "1", "PATH": os.environ["PATH"]}
    running = subprocess.Popen((sys.executable, "-m", "ekiden_simulator"), env=variables, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)


@asynccontextmanager
async def site(root: Path, searches: int, search_url: str) -> AsyncGenerator[Site]:
    env = {
        **own_ports(),
        "EKIDEN_WORKFLOWS_DIR": str(WORKFLOWS),
        "EKIDEN_SIMULATOR_TIME_SCALE": GPT_TIME_SCALE,
        "EKIDEN_LOG_LEVEL": "warning",
        "EKIDEN_MIX_SIMULATOR": "on",
        "PERPLEXITY_API_KEY": "the slow simulator takes any",
        "PERPLEXITY_BASE_URL": search_url,
        "EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "unlimited",
        "EKIDEN_PERPLEXITY_CONCURRENCY": str(searches + SEARCHES_EACH),
    }
    stack = Stack(root, env=env, simulate=False)
    try:
        await asyncio.to_thread(stack.up, 120.0)
        mongo: AsyncMongoClient[Document] = AsyncMongoClient(stack.env["EKIDEN_MONGODB_URL"], tz_aware=True)
        async with (
            httpx.AsyncClient(base_url=stack.env["EKIDEN_GATEWAY_URL"], timeout=30.0) as api,
            await aio_pika.connect(stack.env["EKIDEN_AMQP_URL"]) as broker,
        ):
            handoffs = Handoffs()
            channel = await broker.channel()
            tap = await channel.declare_queue(exclusive=True)
            await tap.bind(COMMANDS, "gpt")
            await tap.consume(handoffs.note, no_ack=True)
            yield Site(stack, api, mongo["ekiden"], handoffs)
        await mongo.close()
    finally:
        await asyncio.to_thread(stack.down, wipe=True)


def at(share: float, figures: Sequence[float]) -> float:
    """The percentile of some figures: `at(0.99, …)`."""
    return sorted(figures)[min(len(figures) - 1, int(share * len(figures)))]


async def measure(pairs: int, searches: int) -> list[Mapping[str, float]]:
    rows: list[Mapping[str, float]] = []
    with tempfile.TemporaryDirectory() as root, slow_simulator() as search_url:
        async with site(Path(root), searches, search_url) as made:
            warm = await made.begin_searches(SEARCHES_EACH)  # the worker learns how long a search takes
            await made.chain(5.0)
            await made.until_ended(warm[0])
            for _ in range(pairs):
                alone = await made.chain(MEASURED_SECONDS)
                ids = await made.begin_searches(searches)
                meter, began_with = Meter.of(made.stack.pid("perplexity-worker")), await made.in_flight()
                beside = await made.chain(MEASURED_SECONDS)
                ended_with = await made.in_flight()
                for session_id in ids:
                    await made.until_ended(session_id)
                used = meter.read()
                rows.append(
                    {
                        "p50Alone": at(0.5, alone), "p50Beside": at(0.5, beside),
                        "p99Alone": at(0.99, alone), "p99Beside": at(0.99, beside),
                        "handoffsAlone": len(alone), "handoffsBeside": len(beside),
                        "inFlightAtFirst": began_with, "inFlightAtLast": ended_with,
                        "mib": used.mib, "core": used.core,
                    }
                )  # fmt: skip
                print(json.dumps({name: round(value, 2) for name, value in rows[-1].items()}), flush=True)
    return rows


def judged(rows: Sequence[Mapping[str, float]]) -> bool:
    """Print the medians of all pairs beside their bars; whether all of them hold."""
    middle = {name: median(row[name] for row in rows) for name in rows[0]}
    p50 = median(row["p50Beside"] / row["p50Alone"] for row in rows)
    p99 = median(row["p99Beside"] / row["p99Alone"] for row in rows)
    more = median(row["p99Beside"] - row["p99Alone"] for row in rows)
    mib, core = max(row["mib"] for row in rows), middle["core"]
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; {len(rows)} interleaved pairs")
    print(f"poll plan: first at {FIRST_PART:.0%} of the median search (70 s), then every {NEXT_PART:.0%}")
    print(
        f"hand-off p50: {middle['p50Alone']:.1f} → {middle['p50Beside']:.1f} ms, ratio {p50:.2f} (at most {MOST_P50})"
    )
    print(
        f"hand-off p99: {middle['p99Alone']:.1f} → {middle['p99Beside']:.1f} ms, ratio {p99:.2f}, {more:+.1f} ms "
        f"(at most {MOST_P99}, or {OR_MORE_MS:+.0f} ms)"
    )
    print(f"perplexity-worker: at most {mib:.0f} MiB ({MOST_MIB:.0f}), {core:.1%} of a core ({MOST_CORE:.0%})")
    return p50 <= MOST_P50 and (p99 <= MOST_P99 or more <= OR_MORE_MS) and mib <= MOST_MIB and core <= MOST_CORE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--searches", type=int, default=1000)
    said = parser.parse_args()
    return 0 if judged(asyncio.run(measure(said.pairs, said.searches))) else 1


if __name__ == "__main__":
    sys.exit(main())
