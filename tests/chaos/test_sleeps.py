"""A worker that stands still for longer than its lease, and then goes on as if nothing had been."""

import asyncio
import random
import time

import pytest

from tests.chaos.arena import TAKEN_UP_SECONDS, Arena
from tests.chaos.faults import Sleep

PART = "SIGSTOP of workers past their lease"
PAST_THE_LEASE = (9.0, 14.0)
"""Seconds; a lease holds for 8."""


async def test_runs_whose_worker_slept_past_its_lease_are_collected_and_not_bought_again(arena: Arena) -> None:
    session_id = await arena.start("a worker that sleeps")
    await arena.until_at(session_id, "1.EXECUTE")
    bought = await searches(arena, session_id)
    await asyncio.to_thread(arena.stack.pause, "perplexity-worker")
    arena.part.faults["SIGSTOP of perplexity-worker"] += 1
    try:

        async def freed() -> bool:
            held = {"sessionId": session_id, "provider": "perplexity", "worker": {"$ne": None}}
            return await arena.database["tasks"].count_documents(held) == 0

        await arena.until(freed, "the reconciler took its tasks", 30)
    finally:
        await asyncio.to_thread(arena.stack.resume, "perplexity-worker")

    verdict = await arena.judge(await arena.until_ended([session_id]))

    assert verdict.resends == 0
    assert await searches(arena, session_id) == bought, "no new entry of the bill"


async def searches(arena: Arena, session_id: str) -> list[str]:
    return [call["runId"] for call in await arena.bill() if call["taskId"].startswith(f"{session_id}.1E")]


@pytest.mark.long
@pytest.mark.parametrize("service", ["perplexity-worker", "gpt-worker"])
async def test_a_sleeper_under_load_is_replaced_and_does_no_harm_when_it_wakes(
    arena: Arena, seed: int, service: str
) -> None:
    """Two of them: the other one, and the reconciler, take over what the sleeper held."""
    chance = random.Random(f"{seed} {service}")
    await asyncio.to_thread(arena.stack.scale, {service: 2})
    ids = await arena.start_many(f"sleepers {seed} {service}", 40, budgetUsd=5)
    for _ in range(5):
        await asyncio.sleep(chance.uniform(0.2, 2))
        ids += await arena.start_many(f"sleepers {seed} {service} {time.monotonic_ns()}", 4, budgetUsd=5)
        assert await arena.suffer(Sleep(service, chance.uniform(*PAST_THE_LEASE)))
    awake = time.monotonic()
    ids += await arena.start_many(f"after sleepers {seed} {service}", 2)  # the others may have ended
    assert await arena.went_on(ids, awake) <= TAKEN_UP_SECONDS

    verdict = await arena.judge(await arena.until_ended(ids, 300, deciding=True))

    assert verdict.resends == 0
    await asyncio.to_thread(arena.stack.scale, {service: 1})


@pytest.mark.long
@pytest.mark.parametrize("service", ["orchestrator", "gateway"])
async def test_whoever_moves_sessions_may_sleep_too(arena: Arena, seed: int, service: str) -> None:
    chance = random.Random(f"{seed} {service}")
    ids = await arena.start_many(f"sleepers {seed} {service}", 20)
    for _ in range(2):
        await asyncio.sleep(chance.uniform(0.2, 2))
        assert await arena.suffer(Sleep(service, chance.uniform(*PAST_THE_LEASE)))
    awake = time.monotonic()
    ids += await arena.start_many(f"after sleepers {seed} {service}", 2)  # the others may have ended
    assert await arena.went_on(ids, awake) <= TAKEN_UP_SECONDS

    verdict = await arena.judge(await arena.until_ended(ids, 300))

    assert verdict.resends == 0
