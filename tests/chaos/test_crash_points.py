"""A process dies at a named point, as by SIGKILL; whatever it had done or not done there, the session arrives."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ekiden.domain.ids import SessionId, TaskId
from ekiden.messages.envelope import GenerateText, Named
from tests.chaos.arena import SESSIONS, Arena
from tests.chaos.oracle import Verdict
from tests.chaos.taps import tap

PART = "crash points of GPT workers and movers"
WORKER_POINTS = (
    *("before_claim", "after_claim", "before_ack", "after_ack", "before_post", "after_post"),
    *("before_result_saved", "after_result_saved", "before_event", "after_event"),
)
RELAY_POINTS = ("before_save", "after_session_saved", "before_tasks_created", "after_tasks_created", "after_published")
DRAFT_POINTS = ("before_drafts", "after_drafts")
ABANDON_POINTS = ("before_abandon", "after_abandon")
FAILURE_POINTS = ("before_failure_saved", "after_failure_saved")
ORCHESTRATOR_POINTS = ("before_look", "before_ack", "after_ack")
TOGETHER = 6

long = pytest.mark.long


def some(points: tuple[str, ...], *short: str) -> list[object]:
    """All points as parameters; `make test` takes the short ones, `make chaos` all."""
    return [pytest.param(point, marks=() if point in short else long) for point in points]


def command(tasks: Sequence[tuple[str, str]]) -> bytes:
    """A `GenerateText` for these tasks, each with its session."""
    first, *others = [Named(task_id=TaskId(task), session_id=SessionId(session)) for task, session in tasks]
    return GenerateText(
        message_id=uuid4().hex,
        sent_at=datetime.now(UTC),
        task_id=first.task_id,
        session_id=first.session_id,
        also=tuple(others),
    ).encode()


async def made_up_for(arena: Arena, session_id: str, *, deciding: bool = False) -> Verdict:
    """Somebody has died at the point asked for: the session is taken up in time, ends, and its books are right."""
    died = await arena.crashed()
    sessions = await arena.until_ended([session_id], deciding=deciding)
    arena.taken_up(sessions[0], died)
    return await arena.judge(sessions)


@pytest.mark.parametrize("point", some(WORKER_POINTS, "after_post"))
async def test_a_gpt_worker_that_dies_is_made_up_for(arena: Arena, point: str) -> None:
    await arena.crash_at(f"gpt:{point}")
    verdict = await made_up_for(arena, await arena.start(f"dying at gpt:{point}"))

    assert verdict.resends == 0
    assert verdict.gpt_twice <= 1


@pytest.mark.parametrize("point", some(WORKER_POINTS, "after_claim"))
async def test_a_gpt_worker_that_dies_over_a_command_of_several_tasks_is_made_up_for(arena: Arena, point: str) -> None:
    """One command for a task of each session, and no other: its tasks are as far as they have come by then."""
    async with tap(arena.amqp_url, ("gpt",), random.Random(), copies=0, longest_seconds=0, divert=True) as swallowed:
        ids = await arena.start_many(f"together at gpt:{point}", TOGETHER)
        tasks = await arena.database["tasks"].find({"sessionId": {"$in": ids}}, {"sessionId": 1}).to_list()
        assert sorted(task["sessionId"] for task in tasks) == sorted(ids)
        await arena.crash_at(f"gpt:{point}")
        await swallowed.put("gpt", command([(task["_id"], task["sessionId"]) for task in tasks]))
        died = await arena.crashed()
    sessions = await arena.until_ended(ids)
    for session in sessions:
        arena.taken_up(session, died)
    verdict = await arena.judge(sessions)

    assert verdict.completed == TOGETHER
    assert verdict.resends == 0
    assert verdict.gpt_twice <= (0 if point == "before_claim" else TOGETHER)


@pytest.mark.parametrize("point", some(FAILURE_POINTS))
async def test_a_gpt_worker_that_dies_over_a_refusal_is_made_up_for(arena: Arena, point: str) -> None:
    """Unsaved, the refusal is an unknown outcome, and the call is sent again by policy; it was never bought."""
    refusal = {"kind": "status", "status": 503, "provider": "openai", "times": 1}
    (await arena.simulator.post("/faults", json=refusal)).raise_for_status()
    await arena.crash_at(f"gpt:{point}")
    verdict = await made_up_for(arena, await arena.start(f"refused at gpt:{point}"))
    arena.part.faults["HTTP 503"] += 1

    assert (verdict.gpt_calls, verdict.gpt_twice) == (10, 0)
    assert verdict.gpt_unknown == (point == "before_failure_saved")


@pytest.mark.parametrize(
    "point", some((*RELAY_POINTS, *DRAFT_POINTS), "after_session_saved", "after_tasks_created", "after_drafts")
)
async def test_whoever_moves_a_session_may_die_at_any_point(arena: Arena, point: str) -> None:
    session_id = await arena.start(f"dying at relay:{point}", start=False)
    started = await arena.api.post(f"{SESSIONS}/{session_id}/process-async")
    assert started.status_code == 202
    await arena.crash_at(f"relay:{point}")
    verdict = await made_up_for(arena, session_id)

    assert not verdict.gpt_twice
    assert not verdict.resends


@pytest.mark.parametrize("point", some(RELAY_POINTS))
async def test_a_gateway_that_dies_while_it_starts_a_session_is_made_up_for(arena: Arena, point: str) -> None:
    """No session is under way, so that only the gateway can come to the point."""
    await arena.crash_at(f"relay:{point}")
    verdict = await made_up_for(arena, await arena.start(f"dying in the gateway at relay:{point}"))

    assert not verdict.gpt_twice
    assert not verdict.resends


@pytest.mark.parametrize("point", some(ABANDON_POINTS, "before_abandon"))
async def test_a_gateway_that_dies_while_it_abandons_a_search_loses_no_bill(arena: Arena, point: str) -> None:
    """Phase 1 is begun anew while its searches run: what they cost is booked, and new ones are bought by leave."""
    session_id = await arena.start(f"dying at relay:{point} {time.monotonic_ns()}", budgetUsd=5)
    await arena.until_at(session_id, "1.EXECUTE")
    await arena.crash_at(f"relay:{point}")
    again = {"action": "restart_phase", "phaseNumber": 1}

    async def restarted() -> bool:
        answer = await arena.api.post(f"{SESSIONS}/{session_id}/recover", json=again)
        return answer.status_code == 202

    await arena.until(restarted, "phase 1 is begun anew")
    verdict = await made_up_for(arena, session_id, deciding=True)

    assert not verdict.resends


@pytest.mark.parametrize("point", some(ABANDON_POINTS))
async def test_an_orchestrator_that_dies_while_it_orders_failed_searches_again_buys_each_once(
    arena: Arena, point: str
) -> None:
    """Two of three runs fail at the provider, so the step is retried by itself and leaves the two behind."""
    times = 2
    failing = {"kind": "failed_run", "provider": "perplexity", "times": times}
    (await arena.simulator.post("/faults", json=failing)).raise_for_status()
    await arena.crash_at(f"relay:{point}")
    session_id = await arena.start(f"failing before relay:{point} {time.monotonic_ns()}", budgetUsd=5)
    died = await arena.crashed()
    await arena.simulator.delete("/faults")
    arena.part.faults["failed run"] += times

    sessions = await arena.until_ended([session_id])
    arena.taken_up(sessions[0], died)
    verdict = await arena.judge(sessions)

    assert (verdict.searches, verdict.resends) == (5, 0)


@pytest.mark.parametrize("point", some(ORCHESTRATOR_POINTS))
async def test_an_orchestrator_that_dies_over_an_event_is_made_up_for(arena: Arena, point: str) -> None:
    await arena.crash_at(f"orchestrator:{point}")
    verdict = await made_up_for(arena, await arena.start(f"dying at orchestrator:{point}"))

    assert not verdict.gpt_twice
    assert not verdict.resends
