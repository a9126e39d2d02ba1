"""A message is only a wake-up: delivered twice, late, or in any order, it changes nothing."""

import asyncio
import random

import pytest

from tests.chaos.arena import Arena
from tests.chaos.taps import QUEUES, tap

PART = "messages twice, late, out of order"
EVENTS_ONLY = ("task.*",)
STALE_SECONDS = 8.0
"""Longer than a step takes on the arena's clock: an event this late is about a step long past."""


def count(full: int) -> list[object]:
    return [pytest.param(6), pytest.param(full, marks=pytest.mark.long)]


@pytest.mark.parametrize("sessions", count(60))
async def test_every_message_delivered_three_times_is_paid_for_once(arena: Arena, seed: int, sessions: int) -> None:
    async with tap(
        arena.amqp_url, tuple(QUEUES), random.Random(seed), copies=2, longest_seconds=3 if sessions > 10 else 1
    ) as doubled:
        ids = await arena.start_many(f"messages twice {seed}", sessions)
        ended = await arena.until_ended(ids, 300)
    arena.part.faults["message delivered again"] += doubled.delivered
    assert doubled.delivered >= 2 * 26 * sessions, "a command and an event for each of 13 tasks"
    await drained(arena)

    verdict = await arena.judge(ended)

    assert verdict.searches + verdict.cached == 3 * sessions
    assert verdict.gpt_calls == 10 * sessions


@pytest.mark.parametrize("sessions", count(60))
async def test_events_in_any_order_and_after_the_end_move_nothing_back(arena: Arena, seed: int, sessions: int) -> None:
    """All events are held back and let go in random order, once in time and once when they are stale."""
    chance = random.Random(seed + 1)
    async with (
        tap(arena.amqp_url, EVENTS_ONLY, chance, copies=1, longest_seconds=0.5, divert=True) as late,
        tap(arena.amqp_url, EVENTS_ONLY, chance, copies=1, longest_seconds=STALE_SECONDS) as stale,
    ):
        ids = await arena.start_many(f"events late {seed}", sessions)
        ended = await arena.until_ended(ids, 300)
    versions = {session["_id"]: session["version"] for session in ended}
    await drained(arena)
    arena.part.faults["event out of order"] += late.delivered
    arena.part.faults["stale event"] += stale.delivered
    assert late.delivered >= 13 * sessions
    assert stale.delivered >= 13 * sessions

    verdict = await arena.judge(ended)

    assert verdict.searches + verdict.cached == 3 * sessions
    assert verdict.gpt_calls == 10 * sessions
    now = await arena.database["sessions"].find({"_id": {"$in": ids}}, {"version": 1}).to_list()
    assert {row["_id"]: row["version"] for row in now} == versions, "a stale event moves nothing"


async def drained(arena: Arena) -> None:
    async def empty() -> bool:
        return not sum(await asyncio.gather(*(arena.depth(queue) for queue in QUEUES.values())))

    await arena.until(empty, "all queues are empty")
