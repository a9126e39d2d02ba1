"""What a trace tells of a task: which of its spans belong together, and what they say of the call."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from ekiden.domain.ids import TaskId
from ekiden.errors import ProviderUnavailable, RequestRejected, Unreachable
from ekiden.worker.ledger import Claim, Completed, Saved
from tests.contract.test_runtime import Bench, bench, gpt, submitted_by_another
from tests.fakes.adapters import InstantSearch
from tests.fakes.collector import Collector, collecting

PLACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, ORDERED_AT = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def traced(made: Bench) -> TaskId:
    """An order that was traced."""
    task = await made.order()
    made.record(task)["traceparent"] = PLACE
    return task


async def test_a_call_and_its_save_are_below_the_work_that_continues_the_order(collector: Collector) -> None:
    async with bench(gpt()) as made:
        task = await traced(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    work = collector.named("gpt task")
    assert work.parent is not None
    assert (work.parent.trace_id, work.parent.span_id) == (TRACE, ORDERED_AT)
    assert collector.path(collector.named("chat submit")) == ["gpt task", "chat submit"]
    assert collector.path(collector.named("ledger save")) == ["gpt task", "ledger save"]


async def test_a_call_is_told_with_its_model_tokens_and_cost_and_never_with_its_text(collector: Collector) -> None:
    async with bench(gpt()) as made:
        task = await traced(made)
        made.record(task)["request"] = {"schemaName": "note", "model": "gpt-6", "user": "a prompt of somebody"}
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    assert said(collector.named("chat submit")) == {
        "ekiden.session.id": made.record(task)["sessionId"],
        "ekiden.task.id": task,
        "ekiden.task.attempt": 1,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": made.record(task)["sessionId"],
        "gen_ai.request.model": "gpt-6",
        "gen_ai.response.model": "fake-gpt",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "ekiden.cost.usd": 0.0001,
    }
    everything = "".join(span.to_json() for span in collector.spans)
    assert "a prompt of somebody" not in everything
    assert "a note" not in everything


async def test_a_search_has_a_span_for_its_sending_and_one_for_all_of_its_collecting(collector: Collector) -> None:
    async with bench(InstantSearch(polls=3)) as made:
        task = await traced(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    submit, collect = collector.named("invoke_agent submit"), collector.named("invoke_agent collect")
    assert said(submit)["ekiden.run.id"] == said(collect)["ekiden.run.id"] == "run_0"
    assert said(collect)["ekiden.cost.usd"] == 0.02
    assert collector.path(collect) == ["perplexity task", "invoke_agent collect"]


async def test_a_takeover_goes_on_in_the_trace_of_the_order_with_the_attempt_it_collects(collector: Collector) -> None:
    search = InstantSearch()
    search.runs["run_x"] = 1
    async with bench(search) as made:
        task = await submitted_by_another(made)
        made.record(task)["traceparent"] = PLACE
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    work = collector.named("perplexity task")
    assert work.parent is not None
    assert work.parent.trace_id == TRACE
    about = said(work)
    assert (about["ekiden.task.attempt"], about["ekiden.task.epoch"], about["ekiden.task.taken_over"]) == (1, 2, True)
    assert not collector.all_named("invoke_agent submit")


async def test_every_attempt_is_a_work_of_its_own_in_one_trace(collector: Collector) -> None:
    answers = gpt()
    answers.failures.append(ProviderUnavailable("not now"))
    async with bench(answers) as made:
        task = await traced(made)
        await made.deliver(task)
        await made.until_status(task, "QUEUED")
        made.tasks.clock.later(200)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    works = collector.all_named("gpt task")
    assert [said(work)["ekiden.task.attempt"] for work in works] == [1, 2]
    assert {work.parent.trace_id for work in works if work.parent} == {TRACE}
    assert said(works[0])["ekiden.task.outcome"] == "refused"


async def test_a_failed_call_is_told_by_its_kind_and_not_by_its_text(collector: Collector) -> None:
    answers = gpt()
    answers.failures.append(RequestRejected("what the provider said of sk-secret"))
    async with bench(answers) as made:
        task = await traced(made)
        await made.deliver(task)
        await made.until_status(task, "FAILED")

    submit = collector.named("chat submit")
    assert submit.status.status_code is StatusCode.ERROR
    assert said(submit)["error.type"] == said(collector.named("gpt task"))["error.type"] == "RequestRejected"
    assert "sk-secret" not in "".join(span.to_json() for span in collector.spans)


async def test_a_save_that_has_to_wait_for_the_database_is_one_long_span(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(gpt()) as made:
        complete, away = made.ledger.complete, [Unreachable("away")] * 3

        async def late(claim: Claim, answer: Completed) -> Saved:
            if away:
                raise away.pop()
            return await complete(claim, answer)

        monkeypatch.setattr(made.ledger, "complete", late)
        task = await traced(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

    assert collector.named("ledger save").status.status_code is StatusCode.UNSET


async def test_untraced_work_begins_a_trace_of_its_own(collector: Collector) -> None:
    async with bench(gpt()) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")
    assert collector.named("gpt task").parent is None
