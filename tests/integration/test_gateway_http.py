"""The gateway for real: uvicorn, a broker and a database. The workers' part is played by hand, task by task."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import aio_pika
import httpx
import pytest

from ekiden.broker import topology
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.plan import Provider
from ekiden.store.database import Database
from ekiden.store.ledger import MongoLedger
from ekiden.worker.ledger import Claim, Completed, Ended, Saved, Usage
from ekiden.workflow.package import Package
from ekiden_gateway.app import Server, create_app
from ekiden_gateway.settings import GatewaySettings
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import ANSWERS, small_package
from tests.integration.conftest import Infra

UNKNOWN = "ses_" + "0" * 32
SEARCHED = {"text": "found", "sources": [{"url": "https://example.com/run_0", "title": "A page"}]}


@dataclass
class Site:
    """A gateway that runs, and the hands of its absent workers."""

    client: httpx.AsyncClient
    database: Database
    url: str
    server: Server

    async def create(self, **fields: Any) -> str:
        answer = await self.client.post(f"{BASE}/create", json={"workflow": "small", "theme": "t", **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()["sessionId"]

    async def get(self, session_id: str, rest: str = "") -> Any:
        answer = await self.client.get(f"{BASE}/{session_id}{rest}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, session_id: str, rest: str, body: Any = None, *, expect: int = 202) -> Any:
        answer = await self.client.post(f"{BASE}/{session_id}/{rest}", json=body)
        assert answer.status_code == expect, answer.text
        if expect >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.json()

    async def claim(self, task_id: str) -> tuple[MongoLedger, Claim]:
        search = ".1E." in task_id
        provider = Provider.PERPLEXITY if search else Provider.GPT
        ledger = MongoLedger(self.database, f"w-{uuid4().hex}", provider, cache_seconds=0)
        claim = await ledger.claim(TaskId(task_id))
        assert claim is not None
        return ledger, claim

    async def answer(self, task_id: str) -> None:
        """Do a worker's part: claim it and complete it."""
        ledger, claim = await self.claim(task_id)
        result = ANSWERS[str(claim.request["schemaName"])] if "schemaName" in claim.request else SEARCHED
        usage = Usage(10, 5, Micros(1000), "fake", "fake", simulated=True)
        assert await ledger.complete(claim, Completed(result, {"raw": True}, usage)) is Saved.DECIDED

    async def fail(self, task_id: str, *, unknown: bool = False) -> None:
        ledger, claim = await self.claim(task_id)
        error = "OutcomeUnknown" if unknown else "RequestRejected"
        ending = Ended("unknown" if unknown else "rejected", error, "it was so", Micros(500 * unknown), ask=unknown)
        assert await ledger.end(claim, ending) is Saved.DECIDED

    async def step(self, session_id: str) -> Any:
        """Answer all that the session waits for, and have it applied."""
        waiting = await self.get(session_id, "/async-status")
        ids = [task["id"] for task in waiting["asyncTasks"]["current"] if task["status"] == "QUEUED"]
        for task_id in ids:
            await self.answer(task_id)
        return await self.post(session_id, "continue-async", {"taskId": ids[-1]})

    async def finish(self, session_id: str) -> None:
        while (await self.step(session_id))["status"] != "COMPLETED":
            pass


def write_package(folder: Path, package: Package) -> None:
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(json.dumps(package.document))
    for language, templates in package.templates.items():
        (folder / "prompts" / language).mkdir(parents=True)
        for name, text in templates.items():
            (folder / "prompts" / language / name).write_text(text)
    (folder / "schemas").mkdir()
    for name, schema in package.schemas.items():
        (folder / "schemas" / f"{name}.json").write_text(json.dumps(schema))


@contextlib.asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncGenerator[tuple[Server, str]]:
    app = create_app(settings)
    server = Server(app, settings)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def settings_for(infra: Infra, **more: Any) -> GatewaySettings:
    known: dict[str, Any] = {"amqp_url": infra.amqp_url, "mongodb_url": infra.mongodb_url, "gateway_port": 0}
    return cast("Callable[..., GatewaySettings]", GatewaySettings)(
        **(known | {"mongodb_database": f"gateway_{uuid4().hex[:8]}"} | more)
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - uvicorn and the gateway offer a flag, and no event
            await asyncio.sleep(0.01)


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - it is another process's, in life
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


# ── create and show ──────────────────────────────────────────────────────────────────────────────────────


async def test_create_answers_where_the_session_is(site: Site) -> None:
    answer = await site.client.post(
        f"{BASE}/create", json={"theme": "AIと働き方", "style": "insight", "platform": "twitter"}
    )
    body = answer.json()
    assert answer.status_code == 201
    assert body["status"] == "PENDING"
    assert answer.headers["location"] == f"{BASE}/{body['sessionId']}"
    assert body["language"] == "ja"
    assert body["workflow"].startswith("viral-content@")
    assert body["createdAt"].endswith("Z")


async def test_expertise_is_an_old_name_of_theme(site: Site) -> None:
    answer = await site.client.post(f"{BASE}/create", json={"expertise": "old"})
    assert answer.json()["input"]["theme"] == "old"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "theme"),
        ({"theme": "t", "unheard": "of"}, "unheard"),
        ({"theme": "t", "style": "rude"}, "style"),
        ({"theme": "x" * 501}, "theme"),
        ({"theme": 5}, "theme"),
        ({"theme": " "}, "theme"),
        ({"theme": "t", "expertise": " "}, "expertise"),
        ({"theme": "t", "workflow": "no-such"}, "workflow"),
        ({"theme": "t", "language": "fr"}, "language"),
        ({"theme": "t", "budgetUsd": -1}, "budgetUsd"),
        ({"theme": "t", "budgetUsd": "NaN"}, "budgetUsd"),
        ({"theme": "t", "pauseBefore": ["9.EXECUTE"]}, "pauseBefore.0"),
        ({"theme": "t", "pauseBefore": ["2.EXECUTE"]}, "pauseBefore.0"),
        ({"theme": "t", "pauseAfterPhases": [5]}, "pauseAfterPhases.0"),
        ({"theme": "t", "webhookUrl": "nowhere"}, "webhookUrl"),
        ({"theme": "t", "metadata": {"a.b": "c"}}, "metadata"),
        ({"theme": "\ud800"}, "theme"),
    ],
)
async def test_a_wrong_wish_is_named(site: Site, body: dict[str, Any], field: str) -> None:
    answer = await site.client.post(
        f"{BASE}/create", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "/problems/invalid-request"
    assert problem["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b'"text"', b"null"])
async def test_what_is_no_json_object_is_malformed(site: Site, body: bytes) -> None:
    answer = await site.client.post(f"{BASE}/create", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_larger_body_is_refused_with_and_without_its_length(site: Site) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 64 * 1024

    json_type = {"Content-Type": "application/json"}
    at_limit = json.dumps({"theme": "t"}).encode().ljust(256 * 1024)
    for content in (at_limit + b" ", chunks()):
        answer = await site.client.post(f"{BASE}/create", content=content, headers=json_type)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")
    assert (await site.client.post(f"{BASE}/create", content=at_limit, headers=json_type)).status_code == 201


async def test_twenty_at_once_with_one_key_create_one_session(site: Site) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"workflow": "small", "theme": "t", "start": True}
    answers = await asyncio.gather(*(site.client.post(f"{BASE}/create", json=body, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["status"] == "THINKING"
    later = await site.client.post(f"{BASE}/create", json=body, headers=headers)
    assert later.text == answers[0].text
    other = await site.client.post(f"{BASE}/create", json=body | {"theme": "u"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_the_list_is_filtered_and_paged(site: Site) -> None:
    mark = uuid4().hex
    ids = [await site.create(metadata={"mark": mark}) for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"metadata": f"mark:{mark}", "limit": 2, "workflow": "small", "status": ["PENDING"]}
    while True:
        page = (await site.client.get(f"{BASE}/", params=query)).json()
        seen += [item["sessionId"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert seen == ids[::-1]
    nobody = await site.client.get(BASE, params={"metadata": f"mark:{mark}", "status": "FAILED"})
    assert nobody.json()["items"] == []
    wrong = await site.client.get(f"{BASE}/", params={"cursor": "!!"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "cursor")


ROUTES = [
    ("GET", "", None),
    ("GET", "/async-status", None),
    ("GET", "/recover", None),
    ("GET", "/tasks", None),
    ("GET", "/tasks/x", None),
    ("GET", "/events", None),
    ("GET", "/drafts", None),
    ("GET", "/drafts/1", None),
    ("GET", "/gate", None),
    ("POST", "/gate", {"gate": "after:1@1", "decision": "approve"}),
    ("POST", "/gate-link", None),
    ("POST", "/process-async", None),
    ("POST", "/continue-async", {}),
    ("POST", "/recover", {"action": "retry"}),
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("POST", "/cancel", None),
    ("PATCH", "/drafts/1", {"status": "POSTED"}),
    ("GET", "/report", None),
    ("POST", "/replay", {}),
]


@pytest.mark.parametrize("session_id", [UNKNOWN, "undefined", "ses_1", UNKNOWN.upper()])
@pytest.mark.parametrize(("method", "rest", "body"), ROUTES)
async def test_an_unknown_session_is_unknown_on_every_route(
    site: Site, session_id: str, method: str, rest: str, body: Any
) -> None:
    answer = await site.client.request(method, f"{BASE}/{session_id}{rest}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-session")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_address_or_method_is_a_problem(site: Site) -> None:
    absent = await site.client.get("/nowhere", headers={"X-Request-ID": "mine"})
    assert (absent.status_code, absent.json()["type"], absent.json()["requestId"]) == (
        404,
        "/problems/not-found",
        "mine",
    )
    assert absent.headers["x-request-id"] == "mine"
    wrong = await site.client.delete(f"{BASE}/create")
    assert (wrong.status_code, wrong.json()["type"]) == (405, "/problems/method-not-allowed")


# ── from start to drafts ─────────────────────────────────────────────────────────────────────────────────


async def test_a_session_goes_from_start_to_drafts(site: Site) -> None:
    session_id = await site.create()
    started = await site.post(session_id, "process-async")
    assert started["status"] == "THINKING"
    assert started["taskIds"] == [f"{session_id}.1T.g1.0"]
    repeated = await site.post(session_id, "process-async")
    assert repeated == started | {"changed": False}
    await site.finish(session_id)
    status = await site.get(session_id, "/async-status")
    assert status["session"]["status"] == "COMPLETED"
    assert status["progress"] == {
        "completedPhases": 2,
        "totalPhases": 2,
        "percentage": 100,
        "estimatedSecondsRemaining": 0.0,
    }
    assert status["asyncTasks"]["summary"] == {
        "total": 7,
        "queued": 0,
        "processing": 0,
        "submitted": 0,
        "completed": 7,
        "failed": 0,
        "outcomeUnknown": 0,
        "cancelled": 0,
    }
    assert [(p["hasThink"], p["hasExecute"], p["hasIntegrate"]) for p in status["phases"]] == [
        (True, True, True),
        (True, False, True),
    ]
    assert status["cost"] == {"spentUsd": 0.007, "reservedUsd": 0.0, "budgetUsd": 1.0, "savedUsd": 0.0}
    assert status["simulated"] is True
    assert status["nextAction"]["action"] == "drafts"
    whole = await site.get(session_id)
    assert not {"owner", "idempotency", "_id", "schemaVersion", "history"} & set(whole)
    assert [f"{step['phase']}.{step['step']}" for step in whole["steps"]][:2] == ["1.THINK", "1.EXECUTE"]
    assert (await site.post(session_id, "process-async"))["changed"] is False
    assert (await site.post(session_id, "continue-async", {}))["changed"] is False
    await site.post(session_id, "cancel", expect=409)
    await drafts_can_be_edited(site, session_id)
    await results_can_be_taken_away(site, session_id)


async def results_can_be_taken_away(site: Site, session_id: str) -> None:
    """Each in its kind, under a name, and with the person's text."""
    forms = {
        "drafts?format=markdown": ("text/markdown", "drafts.md", "```\nmine\n```"),
        "drafts?format=csv": ("text/csv", "drafts.csv", '"mine"'),
        "drafts?format=csv&bom=true": ("text/csv", "drafts.csv", "\ufeff"),
        "report": ("text/markdown", f"{session_id}.md", "## How it came to this"),
        "report?format=html": ("text/html", f"{session_id}.html", "<h2>How it came to this</h2>"),
    }
    for path, (media_type, name, text) in forms.items():
        answer = await site.client.get(f"{BASE}/{session_id}/{path}")
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert f'{name}"' in answer.headers["content-disposition"]
        assert text in answer.content.decode()
        assert ("'sha256-" in answer.headers["content-security-policy"]) is (media_type == "text/html")
    assert (await site.client.get(f"{BASE}/{session_id}/drafts?format=xlsx")).status_code == 422
    assert (await site.client.get(f"{BASE}/{UNKNOWN}/report")).status_code == 404


async def drafts_can_be_edited(site: Site, session_id: str) -> None:
    found = await site.get(session_id, "/drafts")
    assert (found["totalDrafts"], found["status"]) == (2, "COMPLETED")
    assert found["drafts"][0]["title"] == "Title 1"
    assert found["drafts"][0]["simulated"] is True
    url = f"{BASE}/{session_id}/drafts/1"
    edited = (await site.client.patch(url, json={"editedContent": "mine"})).json()
    assert (edited["status"], edited["editedContent"], edited["title"]) == ("EDITED", "mine", "Title 1")
    posted = (await site.client.patch(url, json={"status": "POSTED"})).json()
    assert (posted["status"], posted["editedContent"]) == ("POSTED", "mine")
    for body in ({}, {"status": "LOST"}, {"title": "x"}, {"status": None}):
        assert (await site.client.patch(url, json=body)).status_code == 422
    absent = await site.client.patch(f"{BASE}/{session_id}/drafts/9", json={"status": "POSTED"})
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/unknown-draft")


async def test_the_ledger_is_shown(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.step(session_id)
    task = (await site.get(session_id, "/tasks"))["tasks"][0]
    assert task["id"] == f"{session_id}.1T.g1.0"
    assert (task["type"], task["status"], task["costUsd"]) == ("GPT_COMPLETION", "COMPLETED", 0.001)
    assert task["submissions"][0]["outcome"] == "completed"
    assert not {"worker", "tenant", "requestHash", "announceAt"} & set(task)
    assert await site.get(session_id, f"/tasks/{task['id']}") == task
    other = await site.create()
    absent = await site.client.get(f"{BASE}/{other}/tasks/{task['id']}")
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/unknown-task")
    await site.post(other, "continue-async", {"taskId": task["id"]}, expect=404)


async def test_a_command_reaches_the_broker(site: Site, infra: Infra) -> None:
    async with await aio_pika.connect(infra.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(topology.COMMANDS, "gpt")
        session_id = await site.create(start=True)
        async with asyncio.timeout(5), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                if json.loads(message.body)["sessionId"] == session_id:
                    break


# ── waits ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gate_shows_the_questions_and_their_price_before_they_are_bought(site: Site) -> None:
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})  # nothing is in the cache
    session_id = await site.create(pauseBefore=["1.EXECUTE"], start=True)
    waiting = await site.step(session_id)
    assert (waiting["status"], waiting["waitingReason"], waiting["taskIds"]) == ("WAITING", "approval", [])
    status = await site.get(session_id, "/async-status")
    assert status["gate"]["position"] == "1.EXECUTE"
    assert [item["question"] for item in status["gate"]["items"]] == [f"What about {n}?" for n in range(3)]
    assert status["gate"]["forecast"]["atMostUsd"] == 0.15
    assert (status["gate"]["cached"], status["gate"]["savedUsd"]) == (0, 0)
    assert status["nextAction"]["url"] == f"{BASE}/{session_id}/continue-async"
    problem = await site.post(session_id, "process-async", expect=409)
    assert problem["type"] == "/problems/conflicting-state"
    assert problem["waitingReason"] == "approval"
    assert "continue-async" in problem["detail"]
    assert problem["whatWorks"][0] == {
        "action": "continue",
        "description": "Pass the gate and go on.",
        "method": "POST",
        "url": f"{BASE}/{session_id}/continue-async",
    }
    for wrong, field in (
        ([], "input"),
        (["a"] * 6, "input"),
        ([{"query": "q"}], "input.0"),
        ([{"question": 5}], "input.0"),
    ):
        answer = await site.post(session_id, "continue-async", {"input": wrong}, expect=422)
        assert answer["errors"][0]["field"].startswith(field)
    passed = await site.post(session_id, "continue-async", {"input": ["Only this?"]})
    assert (passed["status"], len(passed["taskIds"])) == ("EXECUTING", 1)
    task = await site.get(session_id, f"/tasks/{passed['taskIds'][0]}")
    assert "Only this?" in task["request"]["user"]


async def test_a_budget_is_raised_and_the_session_goes_on(site: Site) -> None:
    session_id = await site.create(budgetUsd=0.05, start=True)
    status = await site.get(session_id, "/async-status")
    assert (status["session"]["status"], status["session"]["waitingReason"]) == ("WAITING", "budget")
    assert "0.06 USD" in status["nextAction"]["message"]
    await site.post(session_id, "process-async", expect=409)
    await site.post(session_id, "continue-async", {}, expect=409)
    assert (await site.post(session_id, "continue-async", {"budgetUsd": 1}))["status"] == "THINKING"


async def test_pause_and_resume(site: Site) -> None:
    session_id = await site.create(start=True)
    would = await site.post(session_id, "pause?dryRun=true", expect=200)
    assert (would["dryRun"], would["wouldChange"], would["waitingReason"]) == (True, True, "paused")
    assert (await site.get(session_id))["status"] == "THINKING"
    assert (await site.post(session_id, "pause"))["waitingReason"] == "paused"
    problem = await site.post(session_id, "process-async", expect=409)
    assert "resume" in problem["detail"]
    assert (await site.post(session_id, "resume"))["status"] == "THINKING"


async def test_cancel_abandons_what_was_ordered(site: Site) -> None:
    session_id = await site.create(start=True)
    would = await site.post(session_id, "cancel?dryRun=true", expect=200)
    assert would["forecast"]["abandoned"] == [f"{session_id}.1T.g1.0"]
    assert (await site.post(session_id, "cancel"))["status"] == "CANCELLED"
    assert (await site.get(session_id, "/tasks"))["tasks"][0]["status"] == "CANCELLED"
    assert (await site.post(session_id, "cancel"))["changed"] is False
    for rest, body in (("process-async", None), ("continue-async", {}), ("recover", {"action": "retry"})):
        problem = await site.post(session_id, rest, body, expect=409)
        assert problem["sessionStatus"] == "CANCELLED"


# ── recovery ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failed_session_is_retried(site: Site) -> None:
    session_id = await site.create(start=True)
    task_id = f"{session_id}.1T.g1.0"
    await site.fail(task_id)
    assert (await site.post(session_id, "continue-async", {"taskId": task_id}))["status"] == "FAILED"
    health = await site.get(session_id, "/recover")
    assert health["health"]["isHealthy"] is False
    assert "RequestRejected: it was so" in health["health"]["summary"]
    retry = health["availableActions"][0]
    assert (retry["action"], retry["forecast"]["reservedUsd"]) == ("retry", 0.06)
    checked = await site.post(session_id, "recover", {"action": "health_check"}, expect=200)
    assert checked["health"]["issues"] == health["health"]["issues"]
    would = await site.post(session_id, "recover", {"action": "retry", "dryRun": True}, expect=200)
    assert would["forecast"]["tasks"] == [f"{session_id}.1T.g2.0"]
    again = await site.post(session_id, "recover", {"action": "retry"})
    assert (again["status"], again["taskIds"]) == ("THINKING", [f"{session_id}.1T.g2.0"])


async def test_a_phase_is_restarted_with_edited_questions(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.finish(session_id)
    body = {"action": "restart_phase", "phaseNumber": 1, "input": [{"question": "New?"}], "fresh": True}
    would = await site.post(session_id, "recover", body | {"dryRun": True}, expect=200)
    assert would["forecast"]["kept"] == ["1.THINK"]
    assert would["forecast"]["tasks"] == [f"{session_id}.1E.g2.0"]
    assert would["forecast"]["toEnd"]["calls"] == {"perplexity": 1, "gpt": 3}
    assert (await site.get(session_id))["status"] == "COMPLETED"
    assert (await site.post(session_id, "recover", body))["status"] == "EXECUTING"
    await site.post(session_id, "recover", {"action": "restart_phase", "phaseNumber": 2}, expect=409)


async def test_a_session_is_restarted_as_a_linked_one(site: Site) -> None:
    session_id = await site.create(start=True, metadata={"a": "b"})
    await site.post(session_id, "cancel")
    key = {"Idempotency-Key": uuid4().hex}
    url = f"{BASE}/{session_id}/recover"
    would = await site.post(session_id, "recover", {"action": "restart_session", "dryRun": True}, expect=200)
    assert would["status"] == "THINKING"
    first, second = [await site.client.post(url, json={"action": "restart_session"}, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()["parent"], first.json()["status"]) == (202, session_id, "THINKING")
    assert first.json()["sessionId"] == second.json()["sessionId"] != session_id
    assert first.headers["location"] == f"{BASE}/{first.json()['sessionId']}"
    assert (await site.get(first.json()["sessionId"]))["metadata"] == {"a": "b"}


async def unknown_outcome(site: Site) -> tuple[str, list[str]]:
    session_id = await site.create(start=True)
    tasks = (await site.step(session_id))["taskIds"]
    await site.fail(tasks[0], unknown=True)
    for task_id in tasks[1:]:
        await site.answer(task_id)
    waiting = await site.post(session_id, "continue-async", {"taskId": tasks[0]})
    assert waiting["waitingReason"] == "outcome_unknown"
    return session_id, tasks


async def test_an_unknown_outcome_is_shown_with_the_money_at_risk(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    health = await site.get(session_id, "/recover")
    assert tasks[0] in health["health"]["summary"]
    assert "0.05 USD" in health["health"]["summary"]
    problem = await site.post(session_id, "process-async", expect=409)
    assert problem["whatWorks"][0]["action"] == "resolve"
    body = {"action": "resolve", "taskId": tasks[1], "decision": "resend"}
    assert "is known" in (await site.post(session_id, "recover", body, expect=409))["detail"]
    foreign = {"action": "resolve", "taskId": f"{UNKNOWN}.1E.g1.0", "decision": "resend"}
    await site.post(session_id, "recover", foreign, expect=404)


async def test_an_unknown_outcome_is_resent(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    body = {"action": "resolve", "taskId": tasks[0], "decision": "resend"}
    would = await site.post(session_id, "recover", body | {"dryRun": True}, expect=200)
    assert would["forecast"]["tasks"] == [f"{session_id}.1E.g2.0"]
    again = await site.post(session_id, "recover", body)
    assert (again["status"], again["taskIds"][0]) == ("EXECUTING", f"{session_id}.1E.g2.0")


async def test_an_unknown_outcome_is_given_up(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    body = {"action": "resolve", "taskId": tasks[0], "decision": "give_up"}
    assert (await site.post(session_id, "recover", body | {"dryRun": True}, expect=200))["status"] == "INTEGRATING"
    assert (await site.post(session_id, "recover", body))["status"] == "INTEGRATING"
    assert (await site.post(session_id, "recover", body))["changed"] is False


async def test_a_run_that_was_lost_may_be_attached_again(site: Site) -> None:
    await site.database.journaled("tasks").delete_many({"provider": "perplexity"})  # nothing is in the cache
    session_id = await site.create(start=True)
    await site.step(session_id)
    waits_for = [t["id"] for t in (await site.get(session_id, "/async-status"))["asyncTasks"]["current"]]
    for task_id in waits_for[1:]:
        await site.answer(task_id)
    ledger, claim = await site.claim(waits_for[0])
    assert await ledger.submitted(claim, "run_lost")
    assert await ledger.end(claim, Ended("unknown", "RunLost", "no such run", Micros(500), ask=True)) is Saved.DECIDED
    await site.post(session_id, "continue-async", {"taskId": waits_for[0]})

    word = {"action": "resolve", "taskId": waits_for[0], "decision": "attach", "runId": "run_lost"}
    await site.post(session_id, "recover", word)

    task = await site.get(session_id, f"/tasks/{waits_for[0]}")
    assert task["status"] == "SUBMITTED"


async def test_a_run_is_attached_to_an_unknown_outcome(site: Site) -> None:
    session_id, tasks = await unknown_outcome(site)
    body = {"action": "resolve", "taskId": tasks[0], "decision": "attach", "runId": "run_7"}
    await site.post(session_id, "recover", body | {"runId": None}, expect=422)
    assert (await site.post(session_id, "recover", body | {"dryRun": True}, expect=200))["status"] == "EXECUTING"
    assert (await site.post(session_id, "recover", body))["status"] == "EXECUTING"
    task = await site.get(session_id, f"/tasks/{tasks[0]}")
    assert (task["status"], task["runId"]) == ("SUBMITTED", "run_7")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "dance"}, "action"),
        ({"action": "restart_phase"}, "phaseNumber"),
        ({"action": "restart_phase", "phaseNumber": 0}, "phaseNumber"),
        ({"action": "resolve", "taskId": "x", "decision": "resend"}, "taskId"),
        ({"action": "retry", "phaseNumber": 1}, "phaseNumber"),
    ],
)
async def test_a_malformed_recovery_is_named(site: Site, body: dict[str, Any], field: str) -> None:
    session_id = await site.create()
    problem = await site.post(session_id, "recover", body, expect=422)
    assert problem["errors"][0]["field"] == field


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────


class Stream:
    """Reads events off a stream as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[int, Any]:
        number, data = -1, None
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif not line and data is not None:
                    return number, data
        raise AssertionError("the stream ended")


@contextlib.asynccontextmanager
async def streaming(site: Site, session_id: str, **headers: str) -> AsyncGenerator[Stream]:
    wanted = {"Accept": "text/event-stream", **headers}
    async with site.client.stream("GET", f"{BASE}/{session_id}/events", headers=wanted) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


async def test_the_history_is_numbered_by_version(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.step(session_id)
    events = (await site.get(session_id, "/events"))["events"]
    assert [event["id"] for event in events] == [0, 1, 2]
    assert [event["cause"] for event in events] == ["Create", "Start", "Look"]
    assert [event["id"] for event in (await site.get(session_id, "/events?after=1"))["events"]] == [2]


async def test_a_stream_resumes_where_it_broke_off(site: Site) -> None:
    session_id = await site.create()
    async with streaming(site, session_id) as stream:
        assert (await stream.next())[0] == 0
        await site.post(session_id, "process-async")
        number, event = await stream.next()
        assert (number, event["status"]) == (1, "THINKING")
    await site.step(session_id)
    async with streaming(site, session_id, **{"Last-Event-ID": "1"}) as stream:
        assert (await stream.next())[0] == 2
        await site.post(session_id, "cancel")
        number, event = await stream.next()
        assert (number, event["status"]) == (3, "CANCELLED")


async def test_a_wake_up_is_quicker_than_the_poll(site: Site) -> None:
    session_id = await site.create()
    clock = asyncio.get_running_loop().time
    async with streaming(site, session_id) as stream:
        await stream.next()
        took: list[float] = []
        for rest in ("process-async", "pause", "resume", "pause"):
            began = clock()
            await site.post(session_id, rest)
            await stream.next()
            took.append(clock() - began)
    assert sorted(took)[1] < 1.0


async def test_a_wrong_last_event_id_is_malformed(site: Site) -> None:
    session_id = await site.create()
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "x"}
    assert (await site.client.get(f"{BASE}/{session_id}/events", headers=headers)).status_code == 422


# ── the service itself ───────────────────────────────────────────────────────────────────────────────────


async def test_probes_documents_and_metrics(site: Site) -> None:
    assert (await site.client.get("/healthz")).text == "alive\n"
    assert (await site.client.get("/readyz")).text == "ready\n"
    assert "/docs" in (await site.client.get("/")).text
    assert (await site.client.get("/docs")).status_code == 200
    await site.create()
    metrics = (await site.client.get("/metrics")).text
    assert f'ekiden_http_requests_total{{method="POST",route="{BASE}/create",status="201"}}' in metrics
    assert "ses_" not in metrics
    assert (await site.client.get("/problems/unknown-session")).json()["status"] == 404


async def test_the_document_names_every_operation_once_with_its_problems(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    located = [op for path, ops in document["paths"].items() if "{sessionId}" in path for op in ops.values()]
    assert len(located) == len(ROUTES)
    assert all("404" in operation["responses"] and operation["tags"] for operation in located)


async def test_workflows_are_listed(site: Site) -> None:
    found = (await site.client.get("/api/workflows")).json()["items"]
    assert [workflow["name"] for workflow in found] == sorted(workflow["name"] for workflow in found)
    assert {"small", "viral-content"} <= {workflow["name"] for workflow in found}
    one = (await site.client.get("/api/workflows/viral-content")).json()
    assert (len(one["phases"]), one["inputs"]["theme"]["required"]) == (5, True)
    assert (await site.client.get("/api/workflows/none")).status_code == 404


async def test_a_key_sees_only_its_own_sessions_and_does_only_what_it_may(infra: Infra) -> None:
    keys = "ada:adas-secret-0123456,bob:bobs-secret-0123456,eve:eves-secret-0123456:read"
    settings = settings_for(infra, api_keys=keys)
    async with running(settings) as (_, url), httpx.AsyncClient(base_url=url) as client:
        await until_ready(client)
        ada, bob, eve = ({"X-API-Key": f"{name}s-secret-0123456"} for name in ("ada", "bob", "eve"))
        refused = await client.get(f"{BASE}/")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        bearer = {"Authorization": "Bearer adas-secret-0123456"}
        created = (await client.post(f"{BASE}/create", json={"theme": "t"}, headers=bearer)).json()["sessionId"]
        assert (await client.get(f"{BASE}/{created}", headers=ada)).status_code == 200
        for method, rest, body in ROUTES:
            answer = await client.request(method, f"{BASE}/{created}{rest}", json=body, headers=bob)
            assert answer.status_code == 404
        assert (await client.get(f"{BASE}/", headers=bob)).json()["items"] == []
        assert (await client.get(f"{BASE}/", headers=eve)).status_code == 200
        assert (await client.post(f"{BASE}/create", json={"theme": "t"}, headers=eve)).status_code == 403


async def test_without_a_broker_a_command_is_stored_all_the_same(infra: Infra) -> None:
    settings = settings_for(infra, amqp_url="amqp://guest:guest@127.0.0.1:1/")
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until(lambda: server.parts.begun)
        created = await client.post(f"{BASE}/create", json={"theme": "t", "start": True})
        assert (created.status_code, created.json()["status"]) == (201, "THINKING")
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "broker" in ready.text


async def test_without_a_database_nothing_is_promised(infra: Infra) -> None:
    away = "mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=300&timeoutMS=300"
    settings = settings_for(infra, mongodb_url=away)
    async with running(settings) as (_, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.post(f"{BASE}/create", json={"theme": "t"})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        assert "retry-after" in answer.headers
        known = await client.get(f"{BASE}/{UNKNOWN}")
        assert (known.status_code, "retry-after" in known.headers) == (503, True)


async def test_the_gateway_stops_quickly_with_a_client_listening(infra: Infra) -> None:
    settings = settings_for(infra)
    clock = asyncio.get_running_loop().time
    async with httpx.AsyncClient(timeout=30) as client:
        async with running(settings) as (_, url):
            client.base_url = httpx.URL(url)
            await until_ready(client)
            session_id = (await client.post(f"{BASE}/create", json={"theme": "t"})).json()["sessionId"]
            request = client.build_request(
                "GET", f"{BASE}/{session_id}/events", headers={"Accept": "text/event-stream"}
            )
            response = await client.send(request, stream=True)
            began = clock()
        assert clock() - began < 5
        await response.aclose()
