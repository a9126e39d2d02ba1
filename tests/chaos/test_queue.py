"""Ten thousand sessions in the queue, and the broker killed half-way: all arrive, and nothing piles up.

`CHAOS_QUEUED` queues fewer, where there is less time.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.chaos.arena import NOT_NOW, SERVICES, TAKEN_UP_SECONDS, Arena
from tests.chaos.faults import Kill
from tests.chaos.report import Part

QUEUED = int(os.environ.get("CHAOS_QUEUED", "10000"))
PART = f"{QUEUED:,} sessions queued"
AT_ONCE = 64
MOST_BYTES = 300 * 2**20
SECONDS = 570.0
"""For all of it, so that the part ends within ten minutes."""
WORKFLOW = Path(__file__).parent / "workflows"

pytestmark = pytest.mark.long


@pytest_asyncio.fixture(scope="module")
async def arena(tmp_path_factory: pytest.TempPathFactory, part: Part) -> AsyncIterator[Arena]:
    env = {"EKIDEN_WORKFLOWS_DIR": str(WORKFLOW), "EKIDEN_SIMULATOR_TIME_SCALE": "0.001"}
    made = Arena(tmp_path_factory.mktemp("queue"), env={**env, "EKIDEN_LOG_LEVEL": "warning"}, part=part)
    made.drafts = 1
    async with made.standing():
        yield made


async def test_ten_thousand_queued_sessions_survive_a_kill_of_the_broker(arena: Arena, seed: int) -> None:
    deadline = arena.part.began + SECONDS
    await asyncio.to_thread(arena.stack.stop_service, "gpt-worker")
    ids = await submitted(arena, seed)
    watching = asyncio.create_task(watch(arena))
    await asyncio.to_thread(arena.stack.start_service, "gpt-worker")

    async def half_way() -> bool:
        return await arena.database["sessions"].count_documents({"status": "COMPLETED"}) >= QUEUED / 2

    await arena.until(half_way, "half of the sessions have ended", deadline - time.monotonic(), every=0.5)
    assert await arena.suffer(Kill("rabbitmq"))
    await asyncio.to_thread(arena.stack.wait_port, "rabbitmq")
    assert await arena.went_on(ids, time.monotonic(), all_of_them=False) <= TAKEN_UP_SECONDS
    sessions = await arena.until_ended(ids, deadline - time.monotonic())
    watching.cancel()
    deepest, largest = await watching

    verdict = await arena.judge(sessions)

    assert verdict.gpt_calls == 2 * QUEUED + verdict.gpt_twice
    again = await told_again(arena)
    sizes = ", ".join(f"{service} {size / 2**20:.0f} MiB" for service, size in largest.items())
    arena.part.notes.append(f"at most {deepest} messages in the queue, {again:.0f} sent again; {sizes}")
    assert deepest <= 1.05 * QUEUED, "announcements pile up"
    assert max(largest.values()) < MOST_BYTES, largest
    assert again <= 0.2 * 2 * QUEUED, "what waits in the queue was announced again and again"


async def submitted(arena: Arena, seed: int) -> list[str]:
    """Start all sessions, some at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with slots:
            return await arena.start(f"queued {seed} {number}", workflow="relay", style=None, platform=None)

    return await asyncio.gather(*(one(number) for number in range(QUEUED)))


async def told_again(arena: Arena) -> float:
    """How many commands the reconciler has sent again, beside the one that each order sends."""
    targets = dict(target.split("=") for target in arena.stack.env["EKIDEN_METRICS_TARGETS"].split())
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"http://{targets['orchestrator-1']}/metrics")).text
    found = re.findall(r'^ekiden_reconciler_repairs_total\{cause="(?:due|forgotten)"\} (\S+)$', metrics, re.MULTILINE)
    return sum(map(float, found))


async def watch(arena: Arena) -> tuple[int, dict[str, int]]:
    """The deepest a task queue and the largest each of our processes has been, when it is cancelled."""
    deepest, largest = 0, dict.fromkeys(SERVICES, 0)
    try:
        while True:
            with suppress(*NOT_NOW):
                deepest = max(deepest, await arena.depth("ekiden.tasks.gpt"))
            for row in await asyncio.to_thread(arena.stack.ps):
                if row["service"] in largest and row["pid"]:
                    largest[row["service"]] = max(largest[row["service"]], resident_bytes(row["pid"]))
            await asyncio.sleep(1.0)
    except asyncio.CancelledError:
        return deepest, largest


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
