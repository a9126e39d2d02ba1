"""Recovery through the gateway for real: a word said twice or too late, and a forecast that comes true."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.plan import Provider
from ekiden.restore import AfterRestore
from ekiden.store.database import Database
from ekiden.store.ledger import MongoLedger
from ekiden.store.tasks import TaskStore
from ekiden.worker.ledger import Completed, Usage
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import (
    SEARCHED,
    Site,
    running,
    settings_for,
    unknown_outcome,
    until_ready,
    write_package,
)

SEARCH_COST = Micros(1000)


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (server, url), client_of(url) as client:
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


def client_of(url: str) -> httpx.AsyncClient:
    """One that gives up an idle connection well before the gateway does: both at the same second lose a request."""
    return httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(keepalive_expiry=1))


async def said(site: Site, session_id: str, rest: str, body: Any = None, *, key: str) -> httpx.Response:
    return await site.client.post(f"{BASE}/{session_id}/{rest}", json=body, headers={"Idempotency-Key": key})


async def causes(site: Site, session_id: str) -> list[str]:
    return [event["cause"] for event in (await site.get(session_id, "/events"))["events"]]


# ── a word said twice ────────────────────────────────────────────────────────────────────────────────────


async def test_a_phase_restarted_twice_under_one_key_is_restarted_once(site: Site) -> None:
    session_id, key = await site.create(start=True), uuid4().hex
    body = {"action": "restart_phase", "phaseNumber": 1}
    first = await said(site, session_id, "recover", body, key=key)
    second = await said(site, session_id, "recover", body, key=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json() | {"changed": False}
    assert (await site.post(session_id, "recover", body))["taskIds"] == [f"{session_id}.1T.g3.0"], (
        "without a key: again"
    )


async def test_twenty_at_once_under_one_key_restart_once(site: Site) -> None:
    session_id, key = await site.create(start=True), uuid4().hex
    body = {"action": "restart_phase", "phaseNumber": 1}
    answers = await asyncio.gather(*(said(site, session_id, "recover", body, key=key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["changed"] for answer in answers) == 1
    assert await causes(site, session_id) == ["Create", "Start", "RestartPhase"]


async def test_a_key_that_belongs_to_another_request_is_refused(site: Site) -> None:
    session_id, key = await site.create(start=True), uuid4().hex
    await said(site, session_id, "pause", key=key)
    for rest, body in (
        ("resume", None),
        ("continue-async", {"budgetUsd": 2.0}),
        ("recover", {"action": "restart_phase", "phaseNumber": 1}),
    ):
        refused = await said(site, session_id, rest, body, key=key)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert (await site.get(session_id))["waitingReason"] == "paused"


async def test_a_pause_repeated_after_a_resume_does_not_pause_again(site: Site) -> None:
    session_id, key = await site.create(start=True), uuid4().hex
    await said(site, session_id, "pause", key=key)
    await site.post(session_id, "resume")
    assert (await said(site, session_id, "pause", key=key)).json()["changed"] is False
    assert (await site.get(session_id))["status"] == "THINKING"


async def test_a_gate_passed_twice_under_one_key_is_passed_once(site: Site) -> None:
    session_id, key = await site.create(start=True, pauseBefore=["1.THINK", "1.EXECUTE"]), uuid4().hex
    await said(site, session_id, "continue-async", {}, key=key)
    await site.step(session_id)
    assert (await said(site, session_id, "continue-async", {}, key=key)).json()["changed"] is False
    assert (await site.get(session_id))["waitingReason"] == "approval", "the second gate is still closed"


async def test_a_retry_repeated_under_one_key_orders_once(site: Site) -> None:
    session_id, key = await site.create(start=True), uuid4().hex
    task_id = f"{session_id}.1T.g1.0"
    await site.fail(task_id)
    await site.post(session_id, "continue-async", {"taskId": task_id})
    first = await said(site, session_id, "recover", {"action": "retry"}, key=key)
    second = await said(site, session_id, "recover", {"action": "retry"}, key=key)
    assert (first.json()["taskIds"], second.status_code) == ([f"{session_id}.1T.g2.0"], 202)
    assert second.json() == first.json() | {"changed": False}


# ── a word that comes too late ───────────────────────────────────────────────────────────────────────────


async def test_a_search_whose_run_id_came_meanwhile_is_not_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})
    session_id = await site.create(start=True)
    tasks = (await site.step(session_id))["taskIds"]
    ledger, claim = await site.claim(tasks[0])
    for task_id in tasks[1:]:
        await site.answer(task_id)
    rows = site.database.journaled("tasks")
    await rows.update_one({"_id": tasks[0]}, {"$set": {"leaseUntil": claim_over(site)}})
    store = TaskStore(site.database)
    await site.database.synchronise_clock()
    assert [freed.status for freed in await store.free_expired()] == ["OUTCOME_UNKNOWN"]
    await site.post(session_id, "continue-async", {"taskId": tasks[0]})
    gateway = site.server.parts.tasks
    resend = gateway.resend

    async def after_the_evidence(task_id: TaskId) -> bool:
        await ledger.submitted(claim, "run_late")
        return await resend(task_id)

    monkeypatch.setattr(gateway, "resend", after_the_evidence)

    word = {"action": "resolve", "taskId": tasks[0], "decision": "resend"}
    problem = await site.post(session_id, "recover", word, expect=409)

    assert f"the answer of {tasks[0]} came in meanwhile" in problem["detail"]
    shown = await site.get(session_id, f"/tasks/{tasks[0]}")
    assert (shown["status"], shown["runId"]) == ("SUBMITTED", "run_late")
    assert not [t for t in (await site.get(session_id, "/tasks"))["tasks"] if ".1E.g2." in t["id"]]


def claim_over(site: Site) -> Any:
    return site.database.clock.now().replace(year=2020)


async def test_a_resend_said_twice_is_sent_once(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    word = {"action": "resolve", "taskId": tasks[0], "decision": "resend"}
    await asyncio.gather(*(site.post(session_id, "recover", word) for _ in range(10)))
    events = [e["type"] for entry in (await site.get(session_id, "/events"))["events"] for e in entry["events"]]
    assert events.count("TaskResent") == 1
    ordered = [t["id"] for t in (await site.get(session_id, "/tasks"))["tasks"] if f"{session_id}.1E.g" in t["id"]]
    assert [task for task in ordered if ".g2." in task or ".g3." in task] == [f"{session_id}.1E.g2.0"]
    assert (await site.post(session_id, "recover", word))["changed"] is False


async def test_a_resend_whose_gateway_died_behind_the_ledger_is_made_up_for_by_a_look(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    assert await TaskStore(site.database).resend(TaskId(tasks[0]))

    looked = await site.post(session_id, "continue-async", {"taskId": tasks[0]})

    assert (looked["status"], looked["taskIds"][0]) == ("EXECUTING", f"{session_id}.1E.g2.0")


async def test_only_asking_what_a_word_would_do_changes_nothing(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    before = await site.get(session_id, "/events")
    for decision in ("resend", "give_up", "attach"):
        body = {"action": "resolve", "taskId": tasks[0], "decision": decision, "dryRun": True}
        body |= {"runId": "run_9"} if decision == "attach" else {}
        assert (await site.post(session_id, "recover", body, expect=200))["dryRun"] is True
    await TaskStore(site.database).give_up(TaskId(tasks[0]))
    body = {"action": "resolve", "taskId": tasks[0], "decision": "give_up", "dryRun": True}
    assert (await site.post(session_id, "recover", body, expect=200))["status"] == "INTEGRATING"
    assert await site.get(session_id, "/events") == before


# ── all of a session at once ─────────────────────────────────────────────────────────────────────────────

RESEND_ALL = {"action": "resolve_all", "decision": "resend"}


async def restored(site: Site) -> tuple[str, list[str]]:
    """A session that came out of a backup in which it was searching; the run of its first search is on record."""
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})  # nothing comes from the cache
    session_id = await site.create(start=True)
    tasks = (await site.step(session_id))["taskIds"]
    ledger, claim = await site.claim(tasks[0])
    await ledger.submitted(claim, "run_1")
    await AfterRestore(site.database).turn()
    await site.post(session_id, "continue-async", {"taskId": tasks[0]})
    assert (await site.get(session_id))["waitingReason"] == "outcome_unknown"
    return session_id, tasks


async def by_status(site: Site, session_id: str) -> dict[str, str]:
    found = (await site.get(session_id, "/tasks"))["tasks"]
    return {task["id"].split(".", 1)[1]: task["status"] for task in found if ".1E." in task["id"]}


async def test_resending_all_collects_the_run_on_record_and_orders_the_others_again(site: Site) -> None:
    session_id, _ = await restored(site)
    assert (await site.post(session_id, "recover", RESEND_ALL))["status"] == "EXECUTING"
    assert await by_status(site, session_id) == {
        "1E.g1.0": "SUBMITTED",
        "1E.g1.1": "FAILED",
        "1E.g1.2": "FAILED",
        "1E.g2.1": "QUEUED",
        "1E.g2.2": "QUEUED",
    }


async def test_said_twice_it_is_done_once(site: Site) -> None:
    session_id, _ = await restored(site)
    key = uuid4().hex
    for _ in range(2):
        assert (await said(site, session_id, "recover", RESEND_ALL, key=key)).status_code == 202
    before = await by_status(site, session_id)
    assert (await site.post(session_id, "recover", RESEND_ALL))["changed"] is False
    assert await by_status(site, session_id) == before


async def test_what_it_would_do_is_told_beforehand(site: Site) -> None:
    session_id, _ = await restored(site)
    before = await site.get(session_id, "/events")
    would = await site.post(session_id, "recover", RESEND_ALL | {"dryRun": True}, expect=200)
    assert would["forecast"]["tasks"] == [f"{session_id}.1E.g2.1", f"{session_id}.1E.g2.2"]
    assert would["forecast"]["now"]["atMostUsd"] == pytest.approx(2 * 0.05)
    assert await site.get(session_id, "/events") == before
    assert await by_status(site, session_id) == dict.fromkeys(("1E.g1.0", "1E.g1.1", "1E.g1.2"), "OUTCOME_UNKNOWN")


async def test_giving_all_up_buys_nothing(site: Site) -> None:
    session_id, _ = await restored(site)
    answer = await site.post(session_id, "recover", {"action": "resolve_all", "decision": "give_up"})
    assert answer["status"] == "FAILED"
    assert set((await by_status(site, session_id)).values()) == {"FAILED"}


async def test_the_run_on_record_is_attached_without_naming_it(site: Site) -> None:
    session_id, tasks = await restored(site)
    await site.post(session_id, "recover", {"action": "resolve", "taskId": tasks[0], "decision": "attach"})
    shown = await site.get(session_id, f"/tasks/{tasks[0]}")
    assert (shown["status"], shown["runId"]) == ("SUBMITTED", "run_1")


async def test_a_session_trusted_before_it_comes_to_its_searches_buys_them_as_any_other(site: Site) -> None:
    session_id = await site.create(start=True)
    await AfterRestore(site.database).turn()
    assert (await site.post(session_id, "recover", RESEND_ALL | {"dryRun": True}, expect=200))["wouldChange"] is True
    assert (await site.post(session_id, "recover", RESEND_ALL))["changed"] is True
    await site.step(session_id)
    assert set((await by_status(site, session_id)).values()) == {"QUEUED"}


async def test_the_doctor_says_that_a_session_was_restored_and_what_ends_the_doubt(site: Site) -> None:
    session_id, tasks = await restored(site)
    health = (await site.get(session_id, "/recover"))["health"]
    assert any("resolve_all" in advice for advice in health["recommendations"])
    assert any("run_1" in issue for issue in health["issues"])
    assert health["atRiskUsd"] == pytest.approx(len(tasks) * 0.05)


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_doctor_says_that_no_worker_is_running(site: Site) -> None:
    session_id = await site.create(start=True)
    health = (await site.get(session_id, "/recover"))["health"]
    assert health["isHealthy"] is False
    assert any("No gpt-worker is running: " in issue for issue in health["issues"]), health["issues"]
    assert {item["about"] for item in health["evidence"]} == {"task", "provider", "queue"}


async def test_the_doctor_names_the_worker_and_its_lease(site: Site) -> None:
    session_id = await site.create(start=True)
    task_id = f"{session_id}.1T.g1.0"
    ledger, _ = await site.claim(task_id)
    found = [e for e in (await site.get(session_id, "/recover"))["health"]["evidence"] if e["subject"] == task_id]
    assert ledger._worker in found[0]["says"]
    assert "Attempt 1" in found[0]["says"]
    assert "its lease holds until" in found[0]["says"]


async def test_the_money_at_risk_is_a_number(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    assert (await site.get(session_id, "/recover"))["health"]["atRiskUsd"] == 0.05
    assert (await site.get(session_id, f"/tasks/{tasks[0]}"))["atRiskUsd"] == 0.05
    assert (await site.get(session_id, f"/tasks/{tasks[1]}"))["atRiskUsd"] == 0.0


# ── a forecast that comes true ───────────────────────────────────────────────────────────────────────────


async def work(site: Site, session_id: str) -> int:
    """Do the workers' part until the session ends, with the cache on; answers how many searches were bought."""
    bought = 0
    while (status := await site.get(session_id, "/async-status"))["session"]["status"] != "COMPLETED":
        ids = [t["id"] for t in status["asyncTasks"]["current"] if t["status"] == "QUEUED"]
        for task_id in ids:
            if ".1E." not in task_id:
                await site.answer(task_id)
                continue
            worker = MongoLedger(site.database, uuid4().hex, Provider.PERPLEXITY, cache_seconds=3600)
            if not await worker.answer_from_cache(TaskId(task_id)):
                claim = await worker.claim(TaskId(task_id))
                assert claim is not None
                await worker.complete(claim, Completed(SEARCHED, {}, Usage(billed=SEARCH_COST)))
                bought += 1
        await site.post(session_id, "continue-async", {"taskId": status["asyncTasks"]["current"][0]["id"]})
    return bought


@pytest.mark.parametrize(
    ("questions", "fresh", "cached", "saved"),
    [
        (["What about 0?", "What about 1?", "New?"], False, 2, 0.002),
        (["What about 0?", "What about 1?"], True, 0, 0.0),
        (["New?", "New?"], False, 1, 0.0),
        (["What about 0?"], False, 1, 0.001),
    ],
    ids=["two of three are known", "fresh", "the same twice", "all are known"],
)
async def test_what_a_dry_run_says_of_calls_and_cache_is_what_happens(
    site: Site, questions: list[str], fresh: bool, cached: int, saved: float
) -> None:
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})
    session_id = await site.create(start=True)
    assert await work(site, session_id) == 3
    spent = (await site.get(session_id))["cost"]
    body = {"action": "restart_phase", "phaseNumber": 1, "input": questions, "fresh": fresh}

    would = (await site.post(session_id, "recover", body | {"dryRun": True}, expect=200))["forecast"]
    done = await site.post(session_id, "recover", body)
    assert would["tasks"] == done["taskIds"]
    bought = await work(site, session_id)

    assert (would["cached"], would["savedUsd"]) == (cached, saved)
    assert would["now"]["calls"].get("perplexity", 0) == bought == len(questions) - cached
    assert would["toEnd"]["calls"] == ({"perplexity": bought} if bought else {}) | {"gpt": 3}
    assert would["now"]["atMostUsd"] == pytest.approx(0.05 * bought)
    after = (await site.get(session_id))["cost"]
    assert after["spentUsd"] - spent["spentUsd"] == pytest.approx(0.001 * (bought + 3))
    assert after["spentUsd"] - spent["spentUsd"] <= would["toEnd"]["atMostUsd"]


async def test_a_dry_run_up_to_a_gate_counts_what_the_cache_will_answer_behind_it(site: Site) -> None:
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})
    session_id = await site.create(start=True, pauseBefore=["1.EXECUTE"])
    await site.step(session_id)
    await site.post(session_id, "continue-async", {})
    await work(site, session_id)
    body = {"action": "restart_phase", "phaseNumber": 1, "input": ["What about 0?", "New?"]}

    would = await site.post(session_id, "recover", body | {"dryRun": True}, expect=200)
    await site.post(session_id, "recover", body)
    gate = (await site.get(session_id, "/async-status"))["gate"]

    assert (would["waitingReason"], would["forecast"]["tasks"], would["forecast"]["cached"]) == ("approval", [], 1)
    assert would["forecast"]["toEnd"]["calls"] == {"perplexity": 1, "gpt": 3}
    assert (gate["cached"], gate["forecast"]["calls"]) == (1, {"perplexity": 1})
