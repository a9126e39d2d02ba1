"""A search worker dies at a named point: what was bought is collected, what nobody can know a person decides."""

import time

import pytest

from tests.chaos.arena import Arena, Row
from tests.chaos.test_crash_points import WORKER_POINTS, some

PART = "crash points of search workers"
SEARCH_POINTS = (*WORKER_POINTS, "before_run_id_saved", "after_run_id_saved")
UNKNOWN_FOR_A_SEARCH = {"after_claim", "before_ack", "after_ack", "before_post", "after_post", "before_run_id_saved"}
"""Between claim and saved run id nobody can tell whether a search was bought: a person decides."""


@pytest.mark.parametrize("point", some(SEARCH_POINTS, "after_run_id_saved", "before_result_saved"))
async def test_a_search_worker_that_dies_buys_nothing_again(arena: Arena, point: str) -> None:
    """On a search that was between claim and run id, or on a sibling of it that was, a person decides."""
    await arena.crash_at(f"perplexity:{point}")
    session_id = await arena.start(f"dying at perplexity:{point}")
    died = await arena.crashed()

    sessions = await arena.until_ended([session_id], deciding=True)
    if point not in UNKNOWN_FOR_A_SEARCH:
        arena.taken_up(sessions[0], died)
    verdict = await arena.judge(sessions)

    assert verdict.resends == 0


async def unknown_search(arena: Arena, point: str) -> Row:
    """A task of a session that waits for a person's word; one that was bought, where there is one."""
    await arena.crash_at(point)
    session_id = await arena.start(f"unknown at {point} {time.monotonic_ns()}")  # no cache may know its searches
    await arena.crashed()

    async def waits() -> Row | None:
        status = await arena.status(session_id)
        return status if status["session"]["waitingReason"] == "outcome_unknown" else None

    status = await arena.until(waits, "the session says that it waits for a person", 40)
    unknown = await arena.database["tasks"].find({"sessionId": session_id, "status": "OUTCOME_UNKNOWN"}).to_list()
    assert any(task["_id"] in status["nextAction"]["message"] for task in unknown), "it says what it waits for"
    bought = {call["taskId"] for call in await arena.bill()}
    return max(unknown, key=lambda task: task["_id"] in bought)


def searches(bill: list[Row], session_id: str) -> list[Row]:
    return [call for call in bill if call["taskId"].startswith(f"{session_id}.1E")]


async def test_a_search_whose_reply_was_lost_waits_for_a_person_and_is_bought_again_at_their_word(
    arena: Arena,
) -> None:
    task = await unknown_search(arena, "perplexity:after_post")
    session_id = task["sessionId"]
    bought = any(call["taskId"] == task["_id"] for call in await arena.bill())
    assert await arena.resolve(task, {"decision": "resend"}) == 202

    verdict = await arena.judge(await arena.until_ended([session_id], deciding=True))

    assert len(searches(await arena.bill(), session_id)) == 3 + bought, "three, and what a person bought again"
    assert verdict.resends == bought


async def test_a_run_that_a_person_found_at_the_provider_is_collected_and_not_bought_again(arena: Arena) -> None:
    task = await unknown_search(arena, "perplexity:after_post")
    run = next(call["runId"] for call in await arena.bill() if call["taskId"] == task["_id"])
    assert await arena.resolve(task, {"decision": "attach", "runId": run}) == 202

    verdict = await arena.judge(await arena.until_ended([task["sessionId"]], deciding=True))

    assert verdict.resends == 0
    assert len(searches(await arena.bill(), task["sessionId"])) == 3


@pytest.mark.parametrize("point", some(tuple(sorted(UNKNOWN_FOR_A_SEARCH - {"after_post"})), "before_post"))
async def test_a_search_that_is_given_up_is_missing_and_the_session_goes_on(arena: Arena, point: str) -> None:
    task = await unknown_search(arena, f"perplexity:{point}")
    assert await arena.resolve(task, {"decision": "give_up"}) == 202

    sessions = await arena.until_ended([task["sessionId"]], deciding=True)
    verdict = await arena.judge(sessions)

    assert verdict.resends == 0
    assert sessions[0]["steps"]["1E"]["missing"] == [task["index"]]
