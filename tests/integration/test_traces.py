"""One trace over everything that follows from a person's word: HTTP, database, broker, worker and orchestrator.

All services in one process, each with its own connections to a real broker and a real database; the spans of all of
them end in one collector. The first command of the session is lost, and the reconciler announces its task again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from ekiden.broker import topology
from ekiden.domain.plan import Provider
from ekiden.process import Service
from ekiden.settings import WorkerSettings
from ekiden.store.database import Database
from ekiden.worker.service import WorkerService
from ekiden_gateway.views.session import BASE
from ekiden_orchestrator import reconciler
from ekiden_orchestrator.app import Orchestrator
from ekiden_orchestrator.settings import OrchestratorSettings
from tests.fakes.adapters import InstantGpt, InstantSearch
from tests.fakes.collector import Collector, collecting, place
from tests.fakes.workflow import ANSWERS, small_package
from tests.integration.conftest import Infra
from tests.integration.letters import empty_queues
from tests.integration.test_gateway_http import running, settings_for, until_ready, write_package

PATIENCE_SECONDS = 60.0
PROMPT = "a theme nobody else may read"
LINK = "glk_nobody-else-may-use-it.signature"
ASKED = ["POST /api/viral/cot-session/create", "decide Start"]


def a_step(provider: str) -> list[str]:
    """From a command to the decision that its answer led to."""
    event = "ekiden.events.task.completed"
    return [
        *(f"ekiden.commands.{provider} publish", f"ekiden.commands.{provider} process", f"{provider} task"),
        *(f"{event} publish", f"{event} process", "decide Look"),
    ]


@dataclass
class Traced:
    """A session that went all the way, and what was told of it."""

    session: str
    collector: Collector
    tasks: Sequence[dict[str, Any]]
    document: dict[str, Any]

    @property
    def spans(self) -> list[ReadableSpan]:
        """All but those of the questions how far the session is."""
        return [span for span in self.collector.spans if not span.name.startswith("GET ")]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def traced(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    shared: dict[str, Any] = settings.model_dump(include={"amqp_url", "mongodb_url", "mongodb_database"})
    async with AsyncExitStack() as rooms:
        patch = rooms.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(reconciler, "SETTLED_SECONDS", 3600.0)  # on a slow machine a look of its own may come first
        collector = rooms.enter_context(collecting())
        channel = await rooms.enter_async_context(empty_queues(infra))
        _, url = await rooms.enter_async_context(running(settings))
        client = await rooms.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        database = Database(settings.mongodb_url, settings.mongodb_database)
        rooms.push_async_callback(database.close)
        await until_ready(client)

        body = {"workflow": "small", "theme": PROMPT, "start": True}
        session = (await client.post(f"{BASE}/create", json=body)).json()["sessionId"]
        lost = await (await channel.get_queue(topology.task_queue(Provider.GPT))).purge()
        assert lost.message_count == 1
        past = {"$set": {"announceAt": database.clock.now() - timedelta(minutes=1)}}
        await database.journaled("tasks").update_many({"sessionId": session}, past)

        orchestrator = Orchestrator(cast("Callable[..., OrchestratorSettings]", OrchestratorSettings)(**shared))
        worker = cast("Callable[..., WorkerSettings]", WorkerSettings)(**shared, concurrency=8)
        services: list[Service] = [
            orchestrator,
            WorkerService(worker, InstantGpt(ANSWERS)),
            WorkerService(worker, InstantSearch(polls=2), poll_seconds=0.01),
        ]
        for service in services:
            await service.start()
            rooms.push_async_callback(service.stop)

        async def completed() -> bool:
            return (await client.get(f"{BASE}/{session}/async-status")).json()["session"]["status"] == "COMPLETED"

        await until(completed)
        await client.get(f"/api/gates/{LINK}")
        document = await database.journaled("sessions").find_one({"_id": session})
        assert document is not None
        tasks = await database.journaled("tasks").find({"sessionId": session}).to_list()
        yield Traced(session, collector, tasks, document)


def test_all_that_follows_from_one_request_is_one_trace(traced: Traced) -> None:
    assert {place(span).trace_id for span in traced.spans} == {place(traced.collector.named(ASKED[0])).trace_id}
    assert {traced.collector.path(span)[0] for span in traced.spans} == {ASKED[0]}


def test_each_step_hangs_below_the_answer_that_led_to_it(traced: Traced) -> None:
    last = [span for span in traced.spans if attributes(span).get("ekiden.session.status") == "COMPLETED"]
    steps = [step for provider in ("gpt", "perplexity", "gpt", "gpt", "gpt") for step in a_step(provider)]
    assert [traced.collector.path(span) for span in last] == [ASKED + steps]


def test_a_task_whose_command_was_lost_goes_on_in_the_trace_that_ordered_it(traced: Traced) -> None:
    """The reconciler has it from the ledger, and so has the worker."""
    first = [*ASKED, *a_step("gpt")]
    published = [span for span in traced.spans if traced.collector.path(span) == first[:3]]
    worked = [span for span in traced.spans if traced.collector.path(span) == first[:5]]
    assert len(published) >= 2
    assert len(worked) == 1


def test_ledger_and_session_keep_where_they_are_in_the_trace(traced: Traced) -> None:
    trace = f"{place(traced.collector.named(ASKED[0])).trace_id:032x}"
    (last,) = [span for span in traced.spans if attributes(span).get("ekiden.session.status") == "COMPLETED"]
    assert {task["traceparent"].split("-")[1] for task in traced.tasks} == {trace}
    assert traced.document["traceparent"].split("-")[1:3] == [trace, f"{place(last).span_id:016x}"]


def test_searches_have_spans_for_sending_and_collecting_and_all_calls_their_cost(traced: Traced) -> None:
    paid = [span for span in traced.spans if "ekiden.cost.usd" in attributes(span)]
    assert sorted(span.name for span in paid) == ["chat submit"] * 4 + ["invoke_agent collect"] * 3
    assert len(traced.collector.all_named("invoke_agent submit")) == 3
    assert {attributes(span)["ekiden.task.id"] for span in paid} == {task["_id"] for task in traced.tasks}


def test_messages_and_requests_are_told_by_the_names_of_the_field(traced: Traced) -> None:
    published = attributes(traced.collector.all_named("ekiden.commands.perplexity publish")[0])
    assert published["messaging.system"] == "rabbitmq"
    assert published["messaging.destination.name"] == topology.COMMANDS
    asked = attributes(traced.collector.named(ASKED[0]))
    assert (asked["http.request.method"], asked["http.response.status_code"]) == ("POST", 201)


def test_a_trace_does_not_hold_the_address_of_a_link(traced: Traced) -> None:
    (asked,) = traced.collector.all_named("GET /api/gates/{token}")
    assert attributes(asked)["url.path"] == "/api/gates/***"
    assert LINK not in "".join(span.to_json() for span in traced.collector.spans)


def test_a_trace_holds_neither_prompts_nor_answers(traced: Traced) -> None:
    told = "".join(span.to_json() for span in traced.collector.spans)
    assert traced.session in told
    for text in (PROMPT, "What about 1?", "a note", "what run_0 found"):
        assert text not in told
