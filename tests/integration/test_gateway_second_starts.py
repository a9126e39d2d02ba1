"""`process-async` in every state a session can be in: what a second start does, and that it changes nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from ekiden.domain.decider import Situation
from ekiden.store.database import Database
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import (
    Site,
    running,
    settings_for,
    unknown_outcome,
    until_ready,
    write_package,
)

Road = Callable[[Site], Awaitable[str]]


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    limits = httpx.Limits(keepalive_expiry=1)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


async def pending(site: Site) -> str:
    return await site.create()


async def active(site: Site) -> str:
    return await site.create(start=True)


async def at_a_gate(site: Site) -> str:
    return await site.create(start=True, pauseBefore=["1.THINK"])


async def out_of_budget(site: Site) -> str:
    return await site.create(start=True, budgetUsd=0.01)


async def in_doubt(site: Site) -> str:
    return (await unknown_outcome(site))[0]


async def paused(site: Site) -> str:
    session_id = await site.create(start=True)
    await site.post(session_id, "pause")
    return session_id


async def completed(site: Site) -> str:
    session_id = await site.create(start=True)
    await site.finish(session_id)
    return session_id


async def failed(site: Site) -> str:
    session_id = await site.create(start=True)
    await site.fail(f"{session_id}.1T.g1.0")
    await site.post(session_id, "continue-async", {"taskId": f"{session_id}.1T.g1.0"})
    return session_id


async def cancelled(site: Site) -> str:
    session_id = await site.create(start=True)
    await site.post(session_id, "cancel")
    return session_id


async def before_a_retry(site: Site) -> str:
    session_id = await site.create(start=True)
    waits = {"status": "WAITING", "waitingReason": "retry"}
    await site.database.journaled("sessions").update_one({"_id": session_id}, {"$set": waits})
    return session_id


STARTS = {Situation.PENDING: pending, Situation.FAILED: failed}
STAYS = {Situation.ACTIVE: active, Situation.COMPLETED: completed, Situation.RETRY: before_a_retry}
REFUSED = {
    Situation.APPROVAL: (at_a_gate, "continue"),
    Situation.BUDGET: (out_of_budget, "continue"),
    Situation.UNKNOWN: (in_doubt, "resolve"),
    Situation.PAUSED: (paused, "resume"),
    Situation.CANCELLED: (cancelled, "restart_session"),
}


async def everything(site: Site, session_id: str) -> tuple[Any, Any, Any]:
    """Session, ledger and history: whatever a start could change."""
    return await site.get(session_id), await site.get(session_id, "/tasks"), await site.get(session_id, "/events")


def test_every_state_has_its_road_here() -> None:
    assert set(STARTS) | set(STAYS) | set(REFUSED) == set(Situation)


@pytest.mark.parametrize("road", list(STARTS.values()))
async def test_what_stands_still_is_started_once_however_often_it_is_asked(site: Site, road: Road) -> None:
    session_id = await road(site)
    before = len((await site.get(session_id, "/events"))["events"])
    answers = await asyncio.gather(*(site.post(session_id, "process-async") for _ in range(20)))
    assert sum(answer["changed"] for answer in answers) == 1
    assert len({str(answer | {"changed": None}) for answer in answers}) == 1
    assert answers[0]["status"] == "THINKING"
    events = (await site.get(session_id, "/events"))["events"]
    assert [event["cause"] for event in events[before:]] == ["Start"]
    waited = answers[0]["taskIds"]
    queued = [task["id"] for task in (await site.get(session_id, "/tasks"))["tasks"] if task["status"] == "QUEUED"]
    assert queued == waited


@pytest.mark.parametrize("road", list(STAYS.values()))
async def test_what_runs_or_is_done_stays_as_it_is(site: Site, road: Road) -> None:
    session_id = await road(site)
    before = await everything(site, session_id)
    for _ in range(3):
        answer = await site.post(session_id, "process-async")
        assert answer["changed"] is False
        assert (answer["status"], answer["waitingReason"]) == (before[0]["status"], before[0]["waitingReason"])
    assert await everything(site, session_id) == before


@pytest.mark.parametrize(("road", "helps"), list(REFUSED.values()))
async def test_what_waits_for_a_person_is_refused_with_what_helps(site: Site, road: Road, helps: str) -> None:
    session_id = await road(site)
    before = await everything(site, session_id)
    problem = await site.post(session_id, "process-async", expect=409)
    assert problem["type"] == "/problems/conflicting-state"
    assert (problem["sessionStatus"], problem["waitingReason"]) == (before[0]["status"], before[0]["waitingReason"])
    ways = {way["action"]: way for way in problem["whatWorks"]}
    assert helps in ways
    assert problem["whatWorks"][0]["url"] in problem["detail"]
    assert ways[helps]["url"].startswith(f"{BASE}/{session_id}/")
    assert await everything(site, session_id) == before
