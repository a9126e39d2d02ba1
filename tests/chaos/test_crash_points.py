"""A process dies at a named point, as by SIGKILL; whatever it had done or not done there, the session arrives."""

import pytest

from tests.chaos.arena import SESSIONS, Arena, Row

WORKER_POINTS = (
    "before_claim",
    "after_claim",
    "after_ack",
    "before_post",
    "before_result_saved",
    "after_result_saved",
    "after_event",
)
RELAY_POINTS = (
    "before_save",
    "after_session_saved",
    "after_tasks_created",
    "after_published",
    "after_drafts",
)
UNKNOWN_FOR_A_SEARCH = {"after_claim", "after_ack", "before_post"}
"""Between claim and saved run id nobody can tell whether a search was bought: a person decides."""


@pytest.mark.parametrize("point", [f"gpt:{p}" for p in (*WORKER_POINTS, "after_post")])
async def test_a_gpt_worker_that_dies_is_made_up_for(arena: Arena, point: str) -> None:
    await arena.crash_at(point)
    session_id = await arena.start(f"dying at {point}")
    await arena.crashed()

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert twice["search"] == 0
    assert twice["gpt"] <= 1


@pytest.mark.parametrize("point", [f"relay:{p}" for p in RELAY_POINTS])
async def test_whoever_moves_a_session_may_die_at_any_point(arena: Arena, point: str) -> None:
    session_id = await arena.start(f"dying at {point}", start=False)
    started = await arena.api.post(f"{SESSIONS}/{session_id}/process-async")
    assert started.status_code == 202
    await arena.crash_at(point)
    await arena.crashed()

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert not twice


@pytest.mark.parametrize(
    "point",
    [f"perplexity:{p}" for p in (*WORKER_POINTS, "after_run_id_saved") if p not in UNKNOWN_FOR_A_SEARCH],
)
async def test_a_search_worker_that_dies_buys_nothing_again(arena: Arena, point: str) -> None:
    await arena.crash_at(point)
    session_id = await arena.start(f"dying at {point}")
    await arena.crashed()

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert not twice


async def unknown_search(arena: Arena, point: str) -> tuple[str, Row]:
    """A session that waits for a person's word on a search, and the task it is about."""
    await arena.crash_at(point)
    session_id = await arena.start(f"unknown at {point}")
    await arena.crashed()

    async def waits() -> Row | None:
        status = await arena.status(session_id)
        return status if status["session"]["waitingReason"] == "outcome_unknown" else None

    status = await arena.until(waits, "the session says that it waits for a person", 40)
    task = await arena.database["tasks"].find_one({"sessionId": session_id, "status": "OUTCOME_UNKNOWN"})
    assert task is not None
    assert task["_id"] in status["nextAction"]["message"]
    return session_id, task


async def resolve(arena: Arena, session_id: str, task: Row, **decision: str) -> None:
    body = {"action": "resolve", "taskId": task["_id"], **decision}
    answer = await arena.api.post(f"{SESSIONS}/{session_id}/recover", json=body)
    assert answer.status_code in {200, 202}, answer.text


async def test_a_search_whose_reply_was_lost_waits_for_a_person_and_is_bought_again_at_their_word(
    arena: Arena,
) -> None:
    session_id, task = await unknown_search(arena, "perplexity:after_post")
    await resolve(arena, session_id, task, decision="resend")

    await arena.judge(await arena.until_ended([session_id]))

    searches = [c for c in await arena.bill() if c["taskId"].startswith(f"{session_id}.1E")]
    assert len(searches) == 4, "three, and the one that a person bought again"


async def test_a_run_that_a_person_found_at_the_provider_is_collected_and_not_bought_again(arena: Arena) -> None:
    session_id, task = await unknown_search(arena, "perplexity:after_post")
    run = next(call["runId"] for call in await arena.bill() if call["taskId"] == task["_id"])
    await resolve(arena, session_id, task, decision="attach", runId=run)

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert not twice
    assert len([c for c in await arena.bill() if c["taskId"].startswith(f"{session_id}.1E")]) == 3


@pytest.mark.parametrize("point", ["perplexity:after_claim", "perplexity:before_post"])
async def test_a_search_that_is_given_up_is_missing_and_the_session_goes_on(arena: Arena, point: str) -> None:
    session_id, task = await unknown_search(arena, point)
    await resolve(arena, session_id, task, decision="give_up")

    twice = await arena.judge(await arena.until_ended([session_id]))

    assert not twice
    assert len([c for c in await arena.bill() if c["taskId"].startswith(f"{session_id}.1E")]) == 2
