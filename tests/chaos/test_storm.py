"""Random deaths under load. The seed is printed with a failure and can be given back: `EKIDEN_STORM_SEED`."""

import asyncio
import os
import random
import signal
import time

from ekiden_native.errors import NotRunning
from tests.chaos.arena import Arena

SERVICES = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")
SECONDS = 20.0


async def test_a_storm_of_kills_loses_nothing_and_buys_no_search_twice(arena: Arena) -> None:
    seed = int(os.environ.get("EKIDEN_STORM_SEED", "20261122"))
    chance = random.Random(seed)
    ids = await asyncio.gather(*(arena.start(f"storm {seed} {n}", budgetUsd=5) for n in range(30)))
    kills = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        try:
            await asyncio.to_thread(arena.stack.kill, chance.choice(SERVICES))
            kills += 1
        except NotRunning:
            pass  # it is being started again

    twice = await arena.judge(await arena.until_ended(ids, 180, deciding=True))

    assert kills >= 10, f"seed {seed}"
    assert twice["search"] == 0, f"seed {seed}"


async def test_a_worker_stopped_past_its_lease_sends_nothing_when_it_wakes(arena: Arena) -> None:
    session_id = await arena.start("a worker that sleeps")
    await arena.until_at(session_id, "1.EXECUTE")
    await asyncio.to_thread(arena.stack.pause, "perplexity-worker")
    try:

        async def freed() -> bool:
            held = {"sessionId": session_id, "provider": "perplexity", "worker": {"$ne": None}}
            return await arena.database["tasks"].count_documents(held) == 0

        await arena.until(freed, "the reconciler took its tasks", 30)
    finally:
        await asyncio.to_thread(arena.stack.resume, "perplexity-worker")

    twice = await arena.judge(await arena.until_ended([session_id], deciding=True))

    assert twice["search"] == 0


async def test_a_rolling_restart_repeats_no_call(arena: Arena) -> None:
    ids = await asyncio.gather(*(arena.start(f"rolling {n}") for n in range(6)))
    for service in ("perplexity-worker", "gpt-worker", "orchestrator", "gateway"):
        await asyncio.sleep(0.7)
        pid = await asyncio.to_thread(arena.stack.kill, service, 1, signal.SIGTERM)

        async def replaced(service: str = service, pid: int = pid) -> bool:
            try:
                return await asyncio.to_thread(arena.stack.pid, service) != pid
            except NotRunning:
                return False

        await arena.until(replaced, f"{service} was started again", 60)
        await asyncio.to_thread(arena.stack.wait_ready, service)

    twice = await arena.judge(await arena.until_ended(ids))

    assert not twice
