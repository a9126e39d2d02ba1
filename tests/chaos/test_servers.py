"""Broker and database may be killed, stand still, or be away for a minute: what was stored is still there."""

import asyncio
import time
from contextlib import suppress

import httpx
import pytest

from tests.chaos.arena import SESSIONS, TAKEN_UP_SECONDS, Arena
from tests.chaos.faults import SERVERS, Kill, Outage, Sleep

PART = "broker and database"


@pytest.mark.parametrize("server", SERVERS)
async def test_a_killed_server_costs_seconds_and_no_search(arena: Arena, server: str) -> None:
    session_id = await arena.start(f"a kill of {server}")
    for position in ("1.EXECUTE", "3.THINK"):
        await arena.until_at(session_id, position)
        await arena.kill(server)
        await asyncio.to_thread(arena.stack.wait_port, server)
        answered = time.monotonic()
        version = await arena.version(session_id)
        assert await arena.moved_on(session_id, version, answered) <= TAKEN_UP_SECONDS
        await asyncio.to_thread(arena.stack.wait_ready, server)

    verdict = await arena.judge(await arena.until_ended([session_id]))

    assert verdict.resends == 0


async def test_a_database_killed_right_after_a_search_was_sent_does_not_send_it_again(arena: Arena) -> None:
    session_id = await arena.start("a kill of mongod under a search")

    async def first_search_is_on_the_bill() -> bool:
        return any(c["taskId"].startswith(f"{session_id}.1E") for c in await arena.bill())

    await arena.until(first_search_is_on_the_bill, "a search was accepted")
    await arena.kill("mongod")

    verdict = await arena.judge(await arena.until_ended([session_id]))

    assert verdict.resends == 0
    assert verdict.searches == 3


FAULTS = (
    *(Kill(server) for server in (*SERVERS, *SERVERS)),
    Sleep("mongod", 17.0),
    Sleep("rabbitmq", 17.0),
    Outage("rabbitmq", 30.0),
    Outage("mongod", 60.0),
)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
async def test_under_load_a_server_may_be_away_and_nothing_is_lost(arena: Arena, fault: Kill | Sleep | Outage) -> None:
    ids = await arena.start_many(f"{fault.kind} {time.monotonic_ns()}", 20, budgetUsd=5)
    asking = asyncio.create_task(ask_while(arena, ids[0]))
    assert await arena.suffer(fault)
    server = fault.server if isinstance(fault, Outage) else fault.service
    await asyncio.to_thread(arena.stack.wait_port, server)
    answered = time.monotonic()
    ids += await arena.start_many(f"after {fault.kind} {time.monotonic_ns()}", 2)  # the others may have ended
    assert await arena.went_on(ids, answered) <= TAKEN_UP_SECONDS
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking

    verdict = await arena.judge(await arena.until_ended(ids, 200, deciding=True))

    assert verdict.resends == 0
    await asyncio.to_thread(arena.stack.wait_ready, server)


@pytest.mark.long
async def test_the_broker_may_be_restarted_again_and_again_while_calls_begin(arena: Arena) -> None:
    """An orderly stop cuts off workers between claim and acknowledgement; nothing may wait there for ever."""
    ids: list[str] = []
    for _ in range(6):
        ids += await arena.start_many(f"restarted {time.monotonic_ns()}", 20, budgetUsd=5)
        assert await arena.suffer(Outage("rabbitmq", 2.0))
        await asyncio.to_thread(arena.stack.wait_port, "rabbitmq")
        assert await arena.went_on(ids, time.monotonic()) <= TAKEN_UP_SECONDS

    verdict = await arena.judge(await arena.until_ended(ids, 200, deciding=True))

    assert verdict.resends == 0
    await asyncio.to_thread(arena.stack.wait_ready, "rabbitmq")


async def ask_while(arena: Arena, session_id: str) -> None:
    """What is not stored is never said to be: without a database 503 with Retry-After, and nothing else."""
    while True:
        try:
            answer = await arena.api.get(f"{SESSIONS}/{session_id}", timeout=30.0)
        except httpx.HTTPError:
            continue
        assert answer.status_code in {200, 503}, answer.text
        assert answer.status_code == 200 or "retry-after" in answer.headers
        await asyncio.sleep(0.5)
