"""A provider that is out of order for longer than a task's patience: its breaker opens, and nothing is used up."""

import asyncio

import pytest

from ekiden.store.provider_writes import OUTAGE_REFUSALS
from tests.chaos.arena import SESSIONS, Arena
from tests.chaos.faults import Script

PART = "a provider out of order"
SECONDS = 20.0
"""Longer than until the first probe, which finds the provider still out of order."""
QUOTA = Script("quota used up", [{"kind": "status", "provider": "openai", "code": "insufficient_quota"}], SECONDS)
OUTAGE = Script("outage", [{"kind": "status", "provider": "openai", "status": 503}], SECONDS)

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("script", "opening"), [(QUOTA, 0), (OUTAGE, OUTAGE_REFUSALS - 1)], ids=["quota", "outage"])
async def test_sessions_wait_behind_the_breaker_and_use_nothing_up(
    arena: Arena, seed: int, script: Script, opening: int
) -> None:
    """`opening` is how many refusals may count for a task before the one that opens the breaker."""
    out_of_order = asyncio.create_task(arena.suffer(script))
    await arena.until(lambda: armed(arena), "the provider is out of order")
    ids = await arena.start_many(f"{script.kind} {seed}", 20)

    async def breaker_is_named() -> bool:
        answer = await arena.api.get(f"{SESSIONS}/{ids[0]}/recover")
        return "breaker is open" in answer.text

    await arena.until(breaker_is_named, "the doctor names the breaker")
    assert not out_of_order.done(), "it is named while the provider is out of order"
    assert await out_of_order

    sessions = await arena.until_ended(ids, 200)
    verdict = await arena.judge(sessions)

    assert (verdict.resends, verdict.gpt_twice) == (0, 0)
    been = {entry["status"] for session in sessions for entry in session["history"]}
    assert not been & {"FAILED", "WAITING"}, "no session failed, nor was to be retried"
    tasks = await arena.database["tasks"].find({"sessionId": {"$in": ids}}, {"status": 1, "submissions": 1}).to_list()
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    outcomes = [submission["outcome"] for task in tasks for submission in task["submissions"]]
    assert set(outcomes) <= {"completed", "accepted", "held_back", "refused"}
    assert outcomes.count("refused") <= opening, "behind the open breaker no refusal counts for a task"


async def armed(arena: Arena) -> bool:
    return bool((await arena.simulator.get("/faults")).json()["faults"])
