"""Any process may be killed, and any put to sleep: the session arrives all the same, and no search is bought twice."""

import asyncio
import random
import signal
import time
from itertools import product

import pytest

from ekiden_native.errors import NotRunning
from tests.chaos.arena import SERVICES, TAKEN_UP_SECONDS, Arena
from tests.chaos.faults import Kill

PART = "SIGKILL of services"
STORM_SECONDS = 20.0
LONG_STORM_SECONDS = 150.0


@pytest.mark.parametrize("service", SERVICES)
async def test_a_killed_service_costs_seconds_and_no_search(arena: Arena, service: str) -> None:
    session_id = await arena.start(f"a kill of the {service}")
    kills = 0
    for position in ("1.THINK", "1.EXECUTE", "1.INTEGRATE", "3.THINK", "4.INTEGRATE"):
        if await arena.until_at(session_id, position):
            version = await arena.version(session_id)
            await arena.kill(service)
            kills += 1
            assert await arena.moved_on(session_id, version, time.monotonic()) <= TAKEN_UP_SECONDS
    assert kills >= 2

    verdict = await arena.judge(await arena.until_ended([session_id]))

    assert verdict.resends == 0
    assert verdict.gpt_twice <= 4, "a GPT call is sent again only when its worker was killed under it"


async def storm(arena: Arena, seed: int, sessions: int, seconds: float) -> int:
    """Kill a random service every second or two, for so long; answer how many kills found somebody alive."""
    chance = random.Random(seed)
    ids = await arena.start_many(f"storm {seed}", sessions, budgetUsd=5)
    kills = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        kills += await arena.suffer(Kill(chance.choice(SERVICES)))
    calm = time.monotonic()
    ids += await arena.start_many(f"after storm {seed}", 2)  # the others may all have ended, or wait for a person
    assert await arena.went_on(ids, calm, all_of_them=False) <= TAKEN_UP_SECONDS

    verdict = await arena.judge(await arena.until_ended(ids, 300, deciding=True))

    assert verdict.resends == 0, f"seed {seed}"
    return kills


async def test_a_storm_of_kills_loses_nothing_and_buys_no_search_twice(arena: Arena, seed: int) -> None:
    assert await storm(arena, seed, 30, STORM_SECONDS) >= 10, f"seed {seed}"


@pytest.mark.long
async def test_a_long_storm_over_many_sessions_loses_nothing_and_buys_no_search_twice(arena: Arena, seed: int) -> None:
    assert await storm(arena, seed + 1, 200, LONG_STORM_SECONDS) >= 75, f"seed {seed}"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_a_rolling_restart_under_load_repeats_no_call_and_burns_no_attempt(arena: Arena, processes: int) -> None:
    """So many processes of each service, one after the other, while new sessions come in."""
    await asyncio.to_thread(arena.stack.scale, dict.fromkeys(SERVICES, processes))
    ids: list[str] = []
    for number, service in product(
        range(1, processes + 1), ("perplexity-worker", "gpt-worker", "orchestrator", "gateway")
    ):
        ids += await arena.start_many(f"rolling {processes} {number} {service}", 3)
        await restart(arena, service, number)

    verdict = await arena.judge(await arena.until_ended(ids))

    assert not verdict.resends
    assert not verdict.gpt_twice
    assert not verdict.gpt_unknown
    tasks = await arena.database["tasks"].find({"sessionId": {"$in": ids}}, {"submissions": 1}).to_list()
    sent = {task["_id"]: [s["outcome"] for s in task["submissions"] if s["outcome"] != "not_sent"] for task in tasks}
    assert len(sent) == 13 * len(ids)
    assert not {task: outcomes for task, outcomes in sent.items() if len(outcomes) != 1}, "one attempt for each call"
    await asyncio.to_thread(arena.stack.scale, dict.fromkeys(SERVICES, 1))


async def restart(arena: Arena, service: str, number: int) -> None:
    """SIGTERM, and wait until the process that follows is ready."""
    pid = await asyncio.to_thread(arena.stack.kill, service, number, signal.SIGTERM)
    arena.part.faults["SIGTERM"] += 1

    async def replaced() -> bool:
        try:
            return await asyncio.to_thread(arena.stack.pid, service, number) != pid
        except NotRunning:
            return False

    await arena.until(replaced, f"{service} {number} was started again", 60)
    await asyncio.to_thread(arena.stack.wait_ready, service)


async def test_fifty_sessions_at_once_pay_six_hundred_and_fifty_calls(arena: Arena) -> None:
    two = {"orchestrator": 2, "gpt-worker": 2, "perplexity-worker": 2}
    await asyncio.to_thread(arena.stack.scale, two)
    ids = await arena.start_many("theme number", 50)

    verdict = await arena.judge(await arena.until_ended(ids))

    assert (verdict.searches, verdict.gpt_calls) == (150, 500)
    assert not verdict.resends
    assert not verdict.gpt_twice
    await asyncio.to_thread(arena.stack.scale, dict.fromkeys(two, 1))
