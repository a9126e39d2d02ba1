"""Any process may be killed at any time: the session arrives all the same, and no search is bought twice."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.chaos.arena import Arena

TAKEN_UP_SECONDS = 15.0
"""From the death of a service, or from the port of broker or database answering again, to work going on (DESIGN 7)."""


Record = Callable[[str, object], None]
"""Figures that `--junitxml` writes down."""


async def moved_on(arena: Arena, session_id: str, version: int) -> float:
    """Seconds until the session has a newer version."""
    began = time.monotonic()

    async def newer() -> bool:
        found = await arena.database["sessions"].find_one({"_id": session_id}, {"version": 1})
        return found is not None and found["version"] > version

    await arena.until(newer, f"{session_id} moves on", 40)
    return time.monotonic() - began


async def version_of(arena: Arena, session_id: str) -> int:
    found = await arena.database["sessions"].find_one({"_id": session_id}, {"version": 1})
    assert found is not None
    return int(found["version"])


@pytest.mark.parametrize("service", ["gateway", "orchestrator", "gpt-worker", "perplexity-worker"])
async def test_a_killed_service_costs_seconds_and_no_search(
    arena: Arena, service: str, record_property: Record
) -> None:
    session_id = await arena.start(f"a kill of the {service}")
    kills = 0
    for position in ("1.THINK", "1.EXECUTE", "1.INTEGRATE", "3.THINK", "4.INTEGRATE"):
        if await arena.until_at(session_id, position):
            version = await version_of(arena, session_id)
            await arena.kill(service)
            kills += 1
            seconds = await moved_on(arena, session_id, version)
            record_property(f"{service} killed at {position}: seconds to work going on", round(seconds, 1))
            assert seconds <= TAKEN_UP_SECONDS
    assert kills >= 2

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert twice["search"] == 0
    assert twice["gpt"] <= 4, "a GPT call is sent again only when its worker was killed under it"


@pytest.mark.parametrize("server", ["rabbitmq", "mongod"])
async def test_a_killed_server_costs_seconds_and_no_search(arena: Arena, server: str, record_property: Record) -> None:
    session_id = await arena.start(f"a kill of {server}")
    for position in ("1.EXECUTE", "3.THINK"):
        await arena.until_at(session_id, position)
        await asyncio.to_thread(arena.stack.kill, server)
        await asyncio.to_thread(arena.stack.wait_port, server)
        answered = time.monotonic()
        version = await arena.until(lambda: _known_version(arena, session_id), "the database answers") - 1
        await moved_on(arena, session_id, version)
        seconds = time.monotonic() - answered
        record_property(f"{server} killed at {position}: seconds from its port to work going on", round(seconds, 1))
        assert seconds <= TAKEN_UP_SECONDS
        await asyncio.to_thread(arena.stack.wait_ready, server)

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert twice["search"] == 0


async def _known_version(arena: Arena, session_id: str) -> int:
    return await version_of(arena, session_id) + 1


async def test_a_database_killed_right_after_a_search_was_sent_does_not_send_it_again(arena: Arena) -> None:
    session_id = await arena.start("a kill of mongod under a search")

    async def first_search_is_on_the_bill() -> bool:
        return any(c["taskId"].startswith(f"{session_id}.1E") for c in await arena.bill())

    await arena.until(first_search_is_on_the_bill, "a search was accepted")
    await asyncio.to_thread(arena.stack.kill, "mongod")

    twice = await arena.judge(await arena.until_ended([session_id]))

    searches = [c for c in await arena.bill() if c["taskId"].startswith(session_id) and c["provider"] == "perplexity"]
    assert twice["search"] == 0
    assert len(searches) == 3


async def test_fifty_sessions_at_once_pay_six_hundred_and_fifty_calls(arena: Arena) -> None:
    two = {"orchestrator": 2, "gpt-worker": 2, "perplexity-worker": 2}
    await asyncio.to_thread(arena.stack.scale, two)
    ids = await asyncio.gather(*(arena.start(f"theme number {n}") for n in range(50)))

    twice = await arena.judge(await arena.until_ended(ids))

    calls = [call for call in await arena.bill() if call["taskId"][:36] in set(ids)]
    assert len(calls) == 650
    assert not twice
    await asyncio.to_thread(arena.stack.scale, dict.fromkeys(two, 1))
