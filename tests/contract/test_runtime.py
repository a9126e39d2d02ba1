"""The worker runtime between a fake ledger and fake providers: what is done in which order, and what survives what."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.messages import FINAL
from ekiden.domain.plan import Provider
from ekiden.errors import (
    InvalidOutput,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    RunFailed,
    Unreachable,
)
from ekiden.retry import REFUSED_ATTEMPTS, UnknownOutcome
from ekiden.store.task_document import NewTask
from ekiden.worker import runtime as runtime_module
from ekiden.worker.adapter import Adapter, Call, Running, Submitted
from ekiden.worker.lease import LEASE_SECONDS, Fence, Leases
from ekiden.worker.ledger import Claim, Completed, Ended, Saved, Usage
from ekiden.worker.polling import PollPlan
from ekiden.worker.runtime import Runtime
from tests.fakes.adapters import InstantGpt, InstantSearch
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.gate import FakeGate
from tests.fakes.ledger import FakeLedger, FakeTasks, Record

SESSION = SessionId("ses_" + "0" * 32)
CAP = Micros(50_000)
PATIENCE = 60.0
"""Seconds after which a test that still waits has failed."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses before another try are shortened a hundred times; leases keep their length."""
    monkeypatch.setattr(runtime_module, "SAVE_AGAIN_SECONDS", 0.005)
    monkeypatch.setattr(runtime_module, "HOLD_SECONDS", 0.005)
    monkeypatch.setattr(runtime_module, "RENEW_SECONDS", 0.02)


@dataclass
class HandClock:
    """A monotonic clock that tests move."""

    reading: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return self.reading


@dataclass
class Witness(FakeAnnouncer):
    """Notes how a task stands in the ledger when its end is told of."""

    records: dict[str, Record] = field(default_factory=dict[str, Record])
    seen: list[str] = field(default_factory=list[str])

    async def task_ended(self, task_id: TaskId, session_id: SessionId, *, completed: bool) -> None:
        self.seen.append(str(self.records[task_id]["status"]))
        await super().task_ended(task_id, session_id, completed=completed)


class Bench:
    """A runtime on a bench: everything around it can be seen and broken."""

    def __init__(self, adapter: Adapter, policy: UnknownOutcome, concurrency: int, longest_run: float) -> None:
        self.policy = policy
        self.tasks = FakeTasks()
        self.ledger = FakeLedger(self.tasks, "one", adapter.provider)
        self.gate = FakeGate()
        self.announcer = Witness(records=self.tasks.records)
        self.clock = HandClock()
        self.runtime = Runtime(
            adapter,
            self.ledger,
            self.gate,
            self.announcer,
            concurrency,
            PollPlan(0.005),
            longest_run_seconds=longest_run,
            leases=Leases(self.clock),
        )
        self.log: list[str] = []

    async def order(self, index: int = 0) -> TaskId:
        name = TaskName(SESSION, Position(1, Step.EXECUTE), 1, index)
        request: dict[str, object] = {"schemaName": "note"}
        provider = self.ledger.provider
        await self.tasks.create([NewTask(name, "me", provider, request, name.id, self.policy, CAP)])
        return name.id

    async def ack(self) -> None:
        self.log.append("acked")

    def deliver(self, task: TaskId, ack: Callable[[], Awaitable[None]] | None = None) -> Awaitable[None]:
        return asyncio.wait_for(self.runtime.deliver(task, SESSION, ack or self.ack), PATIENCE)

    def record(self, task: TaskId) -> Record:
        return self.tasks.records[task]

    def status(self, task: TaskId) -> str:
        return str(self.record(task)["status"])

    async def until(self, condition: Callable[[], bool], what: str = "it") -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.002)
        assert condition(), what

    async def until_status(self, task: TaskId, status: str) -> None:
        await self.until(lambda: self.status(task) == status)
        await self.until(lambda: self.runtime.in_flight == 0 or status in {"PROCESSING", "SUBMITTED"})


@asynccontextmanager
async def bench(
    adapter: Adapter,
    *,
    policy: UnknownOutcome = UnknownOutcome.ASK,
    concurrency: int = 4,
    longest_run: float = 900.0,
    renewing: bool = False,
) -> AsyncGenerator[Bench]:
    made = Bench(adapter, policy, concurrency, longest_run)
    renewals = asyncio.create_task(made.runtime.renew_forever()) if renewing else None
    try:
        yield made
    finally:
        made.ledger.away = False
        await made.runtime.stop(0.2)
        if renewals is not None:
            renewals.cancel()
            await asyncio.gather(renewals, return_exceptions=True)


def gpt() -> InstantGpt:
    return InstantGpt({"note": {"note": "a note"}})


def held_search() -> InstantSearch:
    """A search whose run does not end before `hold` is set."""
    return InstantSearch(hold=asyncio.Event())


async def submitted_by_another(made: Bench) -> TaskId:
    """A task of which another worker has saved a run id, and then died."""
    task = await made.order()
    other = FakeLedger(made.tasks, "dead")
    claim = await other.claim(task)
    assert claim is not None
    await other.submitted(claim, "run_x")
    await other.let_go(claim)
    return task


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_is_acknowledged_after_the_claim_and_before_the_call() -> None:
    class Watched(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            made.log.append("sent")
            return await super().submit(call, fence)

    async with bench(Watched({"note": {"note": "a note"}})) as made:
        task = await made.order()

        async def ack() -> None:
            made.log.append(f"acked while {made.status(task)}")

        await made.deliver(task, ack)
        await made.until_status(task, "COMPLETED")

        assert made.log == ["acked while PROCESSING", "sent"]
        assert made.announcer.ended == [(task, True)]


async def test_a_run_id_is_saved_before_the_run_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    search = InstantSearch()
    async with bench(search) as made:
        task = await made.order()
        seen: list[object] = []
        collect = search.collect

        async def watched(run_id: str) -> Completed | Running:
            seen.append(made.record(task)["runId"])
            return await collect(run_id)

        monkeypatch.setattr(search, "collect", watched)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert set(seen) == {"run_0"}
        assert made.record(task)["billed"] == 20_000


async def test_a_task_with_a_run_id_is_collected_and_never_submitted() -> None:
    search = InstantSearch(runs={"run_x": 1})
    async with bench(search) as made:
        task = await submitted_by_another(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert search.calls == []


async def test_a_task_with_a_run_id_does_not_wait_at_the_gate() -> None:
    search = InstantSearch(runs={"run_x": 1})
    async with bench(search) as made:
        made.gate.shut, made.gate.breaker_open = asyncio.Event(), True
        task = await submitted_by_another(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert (made.gate.entered, made.gate.unused_entries) == (0, 0)


@pytest.mark.parametrize("status", ["PROCESSING", "OUTCOME_UNKNOWN", "COMPLETED", "CANCELLED"])
async def test_only_what_would_be_sent_waits_at_the_gate(status: str) -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        made.gate.shut = asyncio.Event()
        task = await made.order()
        made.record(task).update(status=status, worker="other" if status == "PROCESSING" else None)
        await made.deliver(task)

        assert (made.gate.entered, made.gate.unused_entries, made.log) == (0, 0, ["acked"])
        assert (made.status(task), adapter.calls) == (status, [])
        assert len(made.announcer.ended) == (status in FINAL)


async def test_a_claim_whose_reply_was_lost_does_not_wait_at_the_gate_again() -> None:
    async with bench(gpt()) as made:
        task = await made.order()
        made.ledger.lost.add("claim")
        with pytest.raises(Unreachable):
            await made.deliver(task)
        made.gate.shut = asyncio.Event()

        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert made.gate.entered == 1


async def test_a_task_that_is_told_of_again_while_it_waits_at_the_gate_waits_there_once() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task, made.gate.shut = await made.order(), asyncio.Event()
        first = asyncio.ensure_future(made.deliver(task))
        await made.until(lambda: made.gate.entered == 1)
        for _ in range(3):
            await made.deliver(task)
        assert made.log == ["acked"] * 3
        assert not first.done()

        made.gate.shut.set()
        await first
        await made.until_status(task, "COMPLETED")
        assert (made.gate.entered, made.log, len(adapter.calls)) == (1, ["acked"] * 4, 1)


async def test_a_task_whose_message_was_let_go_is_taken_on_again() -> None:
    async with bench(gpt()) as made:
        task = await made.order()
        made.gate.park = 90.0
        await made.deliver(task)
        made.gate.park = 0.0
        made.tasks.clock.later(91)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")


@pytest.mark.parametrize(
    ("failure", "status"),
    [(None, "COMPLETED"), (RequestRejected("400"), "FAILED"), (OutcomeUnknown("502"), "OUTCOME_UNKNOWN")],
    ids=["an answer", "a failure", "a doubt"],
)
async def test_an_end_is_saved_before_it_is_told_of(failure: ProviderError | None, status: str) -> None:
    adapter = gpt()
    adapter.failures.extend([failure] if failure else [])
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: bool(made.announcer.ended))

        assert made.announcer.seen == [status]


async def test_a_message_about_nothing_to_claim_is_acknowledged() -> None:
    async with bench(gpt()) as made:
        await made.deliver(TaskName(SESSION, Position(1, Step.THINK), 1, 0).id)

        assert made.log == ["acked"]
        assert made.announcer.ended == []


async def test_a_message_about_a_finished_task_sends_its_event_again() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        await made.deliver(task)

        assert made.announcer.ended == [(task, True)] * 2
        assert made.log == ["acked"] * 2
        assert len(adapter.calls) == 1


async def test_a_message_about_a_task_under_way_starts_no_second_call() -> None:
    search = held_search()
    async with bench(search) as made:
        task = await made.order()
        await asyncio.gather(*(made.deliver(task) for _ in range(5)))
        await made.until_status(task, "SUBMITTED")

        assert made.log == ["acked"] * 5
        assert len(search.calls) == 1


async def test_a_long_wait_at_the_gate_puts_the_task_off_and_lets_the_message_go() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task = await made.order()
        made.gate.park = 90.0
        await made.deliver(task)

        assert made.log == ["acked"]
        assert made.status(task) == "QUEUED"
        assert made.record(task)["notBefore"] == made.tasks.now_in(90)
        assert adapter.calls == []


async def test_no_more_calls_are_under_way_than_there_are_slots() -> None:
    search = held_search()
    async with bench(search, concurrency=2) as made:
        tasks = [await made.order(n) for n in range(4)]
        messages = [asyncio.ensure_future(made.deliver(task)) for task in tasks]
        await made.until(lambda: len(search.calls) == 2)

        assert sum(made.status(task) == "QUEUED" for task in tasks) == 2
        assert made.log == ["acked"] * 2
        assert search.hold is not None
        search.hold.set()
        await asyncio.gather(*messages)
        await made.until(lambda: all(made.status(task) == "COMPLETED" for task in tasks))


# ── the database is away ─────────────────────────────────────────────────────────────────────────────────────


async def test_while_the_database_is_away_a_message_is_kept_and_its_slot_given_back() -> None:
    adapter = gpt()
    async with bench(adapter, concurrency=1) as made:
        task = await made.order()
        made.ledger.away = True
        for _ in range(3):
            with pytest.raises(Unreachable):
                await made.deliver(task)
        assert made.log == []

        made.ledger.away = False
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")
        assert len(adapter.calls) == 1


async def test_a_claim_whose_reply_was_lost_is_worked_on_when_the_message_is_handled_again() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task = await made.order()
        made.ledger.lost.add("claim")
        with pytest.raises(Unreachable):
            await made.deliver(task)
        assert (made.status(task), made.log) == ("PROCESSING", [])

        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert len(adapter.calls) == 1
        assert made.record(task)["epoch"] == 1


@pytest.mark.parametrize("write", ["submitted", "complete"])
async def test_what_a_provider_answered_is_saved_although_the_database_is_away_for_a_while(
    write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = InstantSearch(polls=3)
    async with bench(search) as made:
        task = await made.order()
        tries = 0
        save = getattr(made.ledger, write)

        async def weather(*arguments: object) -> object:
            nonlocal tries
            tries += 1
            if tries <= 5:
                raise Unreachable("the database is away")
            return await save(*arguments)

        monkeypatch.setattr(made.ledger, write, weather)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert tries == 6
        assert len(search.calls) == 1
        assert made.record(task)["billed"] == 20_000


@pytest.mark.parametrize("write", ["submitted", "complete"])
async def test_a_write_whose_reply_was_lost_is_repeated_and_counts_once(write: str) -> None:
    search = InstantSearch()
    async with bench(search) as made:
        task = await made.order()
        made.ledger.lost.add(write)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert made.ledger.calls.count(write) == 2
        assert [s["billed"] for s in made.record(task)["submissions"]] == [20_000]


async def test_a_lost_announcement_loses_no_answer() -> None:
    async with bench(gpt()) as made:
        task = await made.order()
        made.announcer.away = True
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")


# ── bugs of ours ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bug_in_the_adapter_is_an_unknown_outcome_and_no_stuck_lease() -> None:
    class Broken(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            fence.check()
            raise ZeroDivisionError

    async with bench(Broken({})) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "OUTCOME_UNKNOWN")

        assert (made.record(task)["worker"], made.record(task)["billed"]) == (None, CAP)
        assert made.announcer.ended == [(task, False)]


async def test_an_answer_that_cannot_be_stored_is_booked_and_leaves_no_stuck_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(gpt()) as made:
        task = await made.order()

        async def refuses(*_: object) -> Saved:
            raise OverflowError("MongoDB can only handle up to 8-byte ints")

        monkeypatch.setattr(made.ledger, "complete", refuses)
        await made.deliver(task)
        await made.until(lambda: made.runtime.in_flight == 0)

        record = made.record(task)
        assert (record["status"], record["worker"], record["billed"]) == ("QUEUED", None, 100)
        assert [s["outcome"] for s in record["submissions"]] == ["unusable"]
        assert len(made.gate.answers) == 1


async def test_an_accepted_call_is_told_to_the_gate_although_its_run_id_cannot_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(InstantSearch()) as made:
        task = await made.order()

        async def refuses(*_: object) -> bool:
            raise OverflowError("too long")

        monkeypatch.setattr(made.ledger, "submitted", refuses)
        await made.deliver(task)
        await made.until_status(task, "OUTCOME_UNKNOWN")

        assert len(made.gate.answers) == 1


async def test_a_bug_in_the_gate_costs_no_answer() -> None:
    search = InstantSearch()
    async with bench(search) as made:
        made.gate.crashes = True
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert len(search.calls) == 1


async def test_an_acknowledgement_that_fails_does_not_orphan_the_claim() -> None:
    async with bench(gpt()) as made:
        task = await made.order()

        async def cut_off() -> None:
            raise asyncio.CancelledError  # as aiormq does to its waiters when a connection dies

        with pytest.raises(asyncio.CancelledError):
            await made.deliver(task, cut_off)

        await made.until_status(task, "COMPLETED")


async def test_half_a_character_in_a_providers_message_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = gpt()
    adapter.failures.append(RequestRejected("broken \ud83d"))
    async with bench(adapter) as made:
        task = await made.order()
        messages: list[str] = []
        end = made.ledger.end

        async def heard(claim: Claim, ending: Ended) -> Saved:
            messages.append(ending.message)
            return await end(claim, ending)

        monkeypatch.setattr(made.ledger, "end", heard)
        await made.deliver(task)
        await made.until_status(task, "FAILED")

        assert [message.encode() for message in messages] == [b"broken ?"]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refused_call_is_queued_again_for_later_and_the_gate_is_told() -> None:
    adapter = gpt()
    error = RateLimited("slow down", delay_seconds=20)
    adapter.failures.append(error)
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: bool(made.gate.refusals))

        assert made.gate.refusals == [error]
        assert made.record(task)["notBefore"] == made.tasks.now_in(20)
        assert (made.status(task), made.record(task)["billed"]) == ("QUEUED", 0)
        assert made.announcer.ended == []


@pytest.mark.parametrize("adapter", [gpt(), InstantSearch()], ids=["an answer", "a run id"])
async def test_an_answer_to_what_was_sent_is_told_to_the_gate_once(adapter: Adapter) -> None:
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert len(made.gate.answers) == 1


async def test_a_run_that_is_only_collected_says_nothing_of_whether_calls_are_accepted() -> None:
    async with bench(InstantSearch(runs={"run_x": 1})) as made:
        task = await submitted_by_another(made)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert (made.gate.answers, made.gate.refusals) == ([], [])


async def test_a_failed_run_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    search = InstantSearch()

    async def failed(run_id: str) -> Completed | Running:
        raise RunFailed("broke", billed=777)

    monkeypatch.setattr(search, "collect", failed)
    async with bench(search) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "FAILED")

        assert (len(made.gate.answers), made.gate.refusals) == (1, [])


async def test_a_paid_answer_of_the_wrong_form_is_an_answer() -> None:
    adapter = gpt()
    adapter.failures.append(InvalidOutput("no JSON", billed=5))
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: made.announcer.commands == [task])

        assert (len(made.gate.answers), made.gate.refusals) == (1, [])


@pytest.mark.parametrize("billed", [5, None])
async def test_a_paid_refusal_is_an_answer(billed: int | None) -> None:
    adapter = gpt()
    adapter.failures.append(RequestRejected("the content filter stopped it", billed=billed))
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "FAILED")

        assert (len(made.gate.answers), made.gate.refusals) == (1, [])


async def test_after_a_doubt_a_call_is_sent_again_later_and_never_for_nothing() -> None:
    adapter = gpt()
    adapter.failures.append(OutcomeUnknown("502"))
    async with bench(adapter, policy=UnknownOutcome.RESEND) as made:
        made.gate.breaker_open = True
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "QUEUED")

        record = made.record(task)
        assert made.tasks.now_in(0.1) <= record["notBefore"] <= made.tasks.now_in(4)
        assert [(s["outcome"], s["billed"]) for s in record["submissions"]] == [("unknown", CAP)]
        assert made.announcer.commands == []


async def test_how_long_ago_an_answered_call_was_sent_is_told() -> None:
    class Slow(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            answer = await super().submit(call, fence)
            made.clock.reading += 20
            return answer

    async with bench(Slow({"note": 1})) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert made.gate.answers == [20]


@pytest.mark.parametrize("error", [ProviderUnavailable("503"), RateLimited("429", delay_seconds=30)])
async def test_a_refusal_at_an_open_breaker_uses_up_no_attempt(error: ProviderError) -> None:
    adapter = gpt()
    adapter.failures.extend([error] * (REFUSED_ATTEMPTS + 2))
    async with bench(adapter) as made:
        made.gate.breaker_open = True
        task = await made.order()
        for number in range(REFUSED_ATTEMPTS + 2):
            await made.deliver(task)
            await made.until(lambda: len(made.announcer.commands) == number + 1)  # noqa: B023 - awaited within the round
            assert made.status(task) == "QUEUED"
        made.gate.breaker_open = False
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        outcomes = [submission["outcome"] for submission in made.record(task)["submissions"]]
        assert outcomes == ["held_back"] * (REFUSED_ATTEMPTS + 2) + ["completed"]


async def test_without_the_breaker_a_task_is_refused_eight_times_and_fails() -> None:
    adapter = gpt()
    adapter.failures.extend([ProviderUnavailable("503") for _ in range(REFUSED_ATTEMPTS)])
    async with bench(adapter) as made:
        task = await made.order()
        for number in range(REFUSED_ATTEMPTS):
            await made.deliver(task)
            await made.until(lambda: len(made.gate.refusals) == number + 1)  # noqa: B023 - awaited within the round
            await made.until(lambda: made.runtime.in_flight == 0)
            made.tasks.clock.later(121)

        assert made.status(task) == "FAILED"


@pytest.mark.parametrize("error", [OutcomeUnknown("502"), RequestRejected("400"), NotSent()])
async def test_the_gate_hears_of_every_call_that_brought_no_answer(error: ProviderError) -> None:
    adapter = gpt()
    adapter.failures.append(error)
    async with bench(adapter) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: made.runtime.in_flight == 0)

        assert (made.gate.refusals, made.gate.answers) == ([error], [])


async def test_an_entry_at_the_gate_that_is_not_used_is_given_back() -> None:
    search = held_search()
    async with bench(search) as made:
        task, made.gate.shut = await made.order(), asyncio.Event()
        message = asyncio.ensure_future(made.deliver(task))
        await made.until(lambda: made.gate.entered == 1)
        other = FakeLedger(made.tasks, "other")
        assert await other.claim(task) is not None
        made.gate.shut.set()
        await message

        assert (made.gate.entered, made.gate.unused_entries) == (1, 1)


async def test_a_bug_in_the_gate_loses_no_refusal() -> None:
    adapter = gpt()
    adapter.failures.append(QuotaExhausted())
    async with bench(adapter) as made:
        made.gate.crashes = True
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: made.announcer.commands == [task])

        assert [s["outcome"] for s in made.record(task)["submissions"]] == ["held_back"]


class Counters:
    """How far the metrics of one provider's calls have moved."""

    _NAMES = ("outcome_unknown", "task_retries", "provider_cost_usd")

    def __init__(self) -> None:
        self._before = self._read()

    def moved(self) -> tuple[float, float, float]:
        """Unknown outcomes, tasks queued again, micro-dollars."""
        unknown, again, dollars = (now - was for now, was in zip(self._read(), self._before, strict=True))
        return unknown, again, round(dollars * 1_000_000)

    def _read(self) -> list[float]:
        totals = dict.fromkeys(self._NAMES, 0.0)
        for metric in REGISTRY.collect():
            name = metric.name.removeprefix("ekiden_")
            if name in totals:
                totals[name] = sum(s.value for s in metric.samples if s.name.endswith("_total"))
        return list(totals.values())


@pytest.mark.parametrize(("policy", "retries"), [(UnknownOutcome.ASK, 0), (UnknownOutcome.RESEND, 1)])
async def test_an_unknown_outcome_is_counted_once(policy: UnknownOutcome, retries: int) -> None:
    adapter, counters = gpt(), Counters()
    adapter.failures.append(OutcomeUnknown("502"))
    async with bench(adapter, policy=policy) as made:
        task = await made.order()
        with capture_logs() as logs:
            await made.deliver(task)
            await made.until(lambda: made.runtime.in_flight == 0)

        assert counters.moved() == (1, retries, 0)
        assert [log["at_risk"] for log in logs if log["event"] == "outcome_left_unknown"] == [CAP] * (1 - retries)


@pytest.mark.parametrize("policy", list(UnknownOutcome))
async def test_a_doubt_of_a_worker_that_was_replaced_is_not_counted_again(policy: UnknownOutcome) -> None:
    class Replaced(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            made.tasks.clock.later(LEASE_SECONDS + 1)
            assert len(await made.tasks.free_expired()) == 1  # the reconciler counts it
            raise OutcomeUnknown("timed out")

    counters = Counters()
    async with bench(Replaced({}), policy=policy) as made:
        task = await made.order()
        with capture_logs() as logs:
            await made.deliver(task)
            await made.until(lambda: made.runtime.in_flight == 0)

        assert counters.moved() == (0, 0, 0)
        assert "outcome_left_unknown" not in [log["event"] for log in logs]


@pytest.mark.parametrize(("failed", "cost"), [(False, 100), (True, 5)])
async def test_what_a_replaced_worker_was_billed_is_counted_with_its_booking(failed: bool, cost: int) -> None:
    class Replaced(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            answer = await super().submit(call, fence)
            made.tasks.clock.later(LEASE_SECONDS + 1)
            await made.tasks.free_expired()
            other = FakeLedger(made.tasks, "other", Provider.GPT)
            claim = await other.claim(made_task[0])
            assert claim is not None
            await other.complete(claim, Completed("first", None, Usage()))
            if failed:
                raise InvalidOutput("no JSON", billed=5)
            return answer

    counters, made_task = Counters(), list[TaskId]()
    async with bench(Replaced({"note": 1}), policy=UnknownOutcome.RESEND) as made:
        made_task.append(await made.order())
        await made.deliver(made_task[0])
        await made.until(lambda: made.runtime.in_flight == 0)

        assert made.record(made_task[0])["billed"] == cost
        assert counters.moved() == (0, 0, cost)


def above_cap(provider: Provider) -> float:
    return REGISTRY.get_sample_value("ekiden_calls_above_cap_total", {"provider": provider}) or 0.0


@pytest.mark.parametrize(("billed", "counted"), [(CAP, 0), (CAP + 1, 1)])
async def test_an_answer_above_its_cap_is_booked_as_it_is_and_counted(billed: int, counted: int) -> None:
    class Dear(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            return Completed("answer", None, Usage(billed=Micros(billed)))

    before = above_cap(Provider.GPT)
    async with bench(Dear({})) as made:
        task = await made.order()
        with capture_logs() as logs:
            await made.deliver(task)
            await made.until_status(task, "COMPLETED")

        assert made.record(task)["billed"] == billed
        assert above_cap(Provider.GPT) - before == counted
        assert [log["event"] for log in logs].count("cap_exceeded") == counted


async def test_a_failed_run_above_its_cap_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    search, before = InstantSearch(), above_cap(Provider.PERPLEXITY)

    async def failed(run_id: str) -> Completed | Running:
        raise RunFailed("broke", billed=CAP * 2)

    monkeypatch.setattr(search, "collect", failed)
    async with bench(search) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "FAILED")

        assert above_cap(Provider.PERPLEXITY) - before == 1


async def test_a_poll_is_tried_again_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    search = InstantSearch()
    collect, troubles = search.collect, [ProviderUnavailable("502"), RateLimited("429"), ProviderUnavailable("html")]

    async def troubled(run_id: str) -> Completed | Running:
        if troubles:
            raise troubles.pop(0)
        return await collect(run_id)

    monkeypatch.setattr(search, "collect", troubled)
    async with bench(search) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert [s["outcome"] for s in made.record(task)["submissions"]] == ["completed"]


async def test_a_run_the_provider_does_not_know_is_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    search = InstantSearch()

    async def gone(run_id: str) -> Completed | Running:
        raise OutcomeUnknown(f"404 {run_id}")

    monkeypatch.setattr(search, "collect", gone)
    async with bench(search) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "OUTCOME_UNKNOWN")

        assert made.record(task)["billed"] == CAP


async def test_a_run_that_failed_is_booked_with_what_it_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    search = InstantSearch()

    async def failed(run_id: str) -> Completed | Running:
        raise RunFailed("broke", billed=777)

    monkeypatch.setattr(search, "collect", failed)
    async with bench(search) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "FAILED")

        assert made.record(task)["billed"] == 777


async def test_an_answer_without_a_price_is_booked_at_the_cap_and_marked() -> None:
    class Free(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            return Completed("answer", None, Usage(billed=None))

    async with bench(Free({})) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert (made.record(task)["billed"], made.record(task)["flags"]) == (CAP, ["cost_not_given"])


# ── lease and fence ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_worker_that_cannot_renew_starts_nothing_new() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task = await made.order()
        made.clock.reading += 7
        message = asyncio.ensure_future(made.deliver(task))
        with pytest.raises(TimeoutError):  # a wait for nothing to happen: twenty looks at the lease
            await asyncio.wait_for(asyncio.shield(message), 0.1)
        assert (made.status(task), made.log) == ("QUEUED", [])

        made.runtime.leases.renewed(made.clock())
        await message
        await made.until_status(task, "COMPLETED")


async def test_past_three_quarters_of_its_lease_a_call_is_not_sent_and_queued_again() -> None:
    class Slow(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            if not self.calls:
                made.clock.reading = fence.claimed_at + LEASE_SECONDS * 0.75
            self.calls.append(call)
            fence.check()
            return Completed("sent", None, Usage())

    slow = Slow({})
    async with bench(slow) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: made.announcer.commands == [task])

        record = made.record(task)
        assert (record["status"], record["billed"]) == ("QUEUED", 0)
        assert [s["outcome"] for s in record["submissions"]] == ["not_sent"]
        made.runtime.leases.renewed(made.clock())
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")
        assert slow.calls[-1].attempt == 1


async def test_after_a_gap_of_a_whole_lease_a_renewal_does_not_allow_an_old_claim_to_send() -> None:
    """A process that was stopped between claim and first byte: somebody else may have the task by now."""

    class Stopped(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            made.clock.reading += 20
            await made.runtime.ledger.renew()
            made.runtime.leases.renewed(made.clock())
            return await super().submit(call, fence)

    stopped = Stopped({"note": 1})
    async with bench(stopped) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until(lambda: made.runtime.in_flight == 0)

        assert stopped.calls == []
        assert made.status(task) == "QUEUED"


async def test_renewals_go_on_while_a_provider_does_not_answer_a_cancellation() -> None:
    class Deaf(InstantSearch):
        async def cancel(self, run_id: str) -> None:
            self.cancelled.add(run_id)
            await asyncio.Event().wait()

    deaf = Deaf(hold=asyncio.Event())
    async with bench(deaf, renewing=True) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        await made.tasks.abandon([(task, "me", Provider.PERPLEXITY)])
        await made.until(lambda: bool(deaf.cancelled))
        before = made.ledger.calls.count("renew")

        await made.until(lambda: made.ledger.calls.count("renew") >= before + 3)


async def test_renewals_go_on_after_a_bug_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(gpt(), renewing=True) as made:
        renew, tries = made.ledger.renew, 0

        async def broken_once() -> object:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise ValueError("a bug")
            return await renew()

        monkeypatch.setattr(made.ledger, "renew", broken_once)
        await made.until(lambda: tries >= 3)


async def test_the_cancellation_of_a_running_search_is_passed_to_the_provider() -> None:
    search = held_search()
    async with bench(search, renewing=True) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        await made.tasks.abandon([(task, "me", Provider.PERPLEXITY)])
        await made.until(lambda: search.cancelled == {"run_0"})

        assert search.hold is not None
        search.hold.set()
        await made.until_status(task, "COMPLETED")  # it is collected and booked all the same
        assert made.record(task)["billed"] == 20_000


async def test_a_cancellation_that_got_through_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    search, asked = held_search(), list[str]()

    async def counted(run_id: str) -> None:
        asked.append(run_id)

    monkeypatch.setattr(search, "cancel", counted)
    async with bench(search, renewing=True, longest_run=60) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        await made.tasks.abandon([(task, "me", Provider.PERPLEXITY)])
        await made.until(lambda: bool(asked))
        made.clock.reading += 61  # past its cap, too
        made.runtime.leases.renewed(made.clock())
        before = made.ledger.calls.count("renew")
        await made.until(lambda: made.ledger.calls.count("renew") >= before + 5)

        assert asked == ["run_0"]


async def test_a_cancellation_that_comes_too_late_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    search, tries = held_search(), 0

    async def ended_already(run_id: str) -> None:
        nonlocal tries
        tries += 1
        raise RequestRejected("already terminal")

    monkeypatch.setattr(search, "cancel", ended_already)
    async with bench(search, renewing=True) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        await made.tasks.abandon([(task, "me", Provider.PERPLEXITY)])
        await made.until(lambda: tries > 0)
        before = made.ledger.calls.count("renew")
        await made.until(lambda: made.ledger.calls.count("renew") >= before + 5)

        assert tries == 1


@pytest.mark.parametrize("abandoned", [True, False])
async def test_a_cancellation_that_does_not_get_through_is_tried_again(
    abandoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, tries = held_search(), 0
    cancel = search.cancel

    async def deaf_twice(run_id: str) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise ProviderUnavailable("503")
        await cancel(run_id)

    monkeypatch.setattr(search, "cancel", deaf_twice)
    async with bench(search, renewing=True, longest_run=60) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        if abandoned:
            await made.tasks.abandon([(task, "me", Provider.PERPLEXITY)])
        else:
            made.clock.reading += 61
        await made.until(lambda: search.cancelled == {"run_0"})

        assert tries == 3


async def test_the_wall_clock_cap_of_a_run_counts_from_its_submission_and_not_from_a_takeover() -> None:
    search = InstantSearch(runs={"run_x": 99}, hold=asyncio.Event())
    async with bench(search, longest_run=60) as made:
        task = await submitted_by_another(made)
        made.tasks.clock.later(59)
        await made.deliver(task)
        await made.until(lambda: task in made.runtime._collecting)
        assert search.cancelled == set()
        made.clock.reading += 2
        await made.until(lambda: search.cancelled == {"run_x"})


async def test_a_run_that_ended_before_its_takeover_is_collected_and_not_cancelled() -> None:
    search = InstantSearch(runs={"run_x": 1})
    async with bench(search, longest_run=60) as made:
        task = await submitted_by_another(made)
        made.tasks.clock.later(7200)
        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert search.cancelled == set()


async def test_past_its_wall_clock_cap_a_run_is_cancelled_and_collected() -> None:
    search = held_search()
    async with bench(search, longest_run=60) as made:
        task = await made.order()
        await made.deliver(task)
        await made.until_status(task, "SUBMITTED")
        made.clock.reading += 61
        await made.until(lambda: search.cancelled == {"run_0"})
        assert made.status(task) == "SUBMITTED"

        assert search.hold is not None
        search.hold.set()
        await made.until_status(task, "COMPLETED")


# ── stop ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stop_gives_submitted_tasks_back_at_once() -> None:
    search = held_search()
    async with bench(search) as made:
        tasks = [await made.order(n) for n in range(3)]
        for task in tasks:
            await made.deliver(task)
        await made.until(lambda: all(made.status(task) == "SUBMITTED" for task in tasks))
        began = time.monotonic()

        await made.runtime.stop(60)

        assert time.monotonic() - began < 30  # at once: none of the grace period is waited for
        for task in tasks:
            record = made.record(task)
            assert (record["status"], record["worker"], record["leaseUntil"]) == ("SUBMITTED", None, None)
            assert record["runId"]


async def test_a_stop_waits_for_a_call_under_way() -> None:
    class Slow(InstantGpt):
        async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
            await go_on.wait()
            return await super().submit(call, fence)

    go_on = asyncio.Event()
    async with bench(Slow({"note": 1})) as made:
        task = await made.order()
        await made.deliver(task)
        stopping = asyncio.create_task(made.runtime.stop(5))
        await made.until(made.runtime._stopping.is_set)
        go_on.set()
        await stopping

        assert made.status(task) == "COMPLETED"


async def test_after_a_stop_nothing_is_claimed() -> None:
    adapter = gpt()
    async with bench(adapter) as made:
        task = await made.order()
        made.runtime.stop_claiming()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(made.deliver(task))

        assert (made.status(task), made.log, adapter.calls) == ("QUEUED", [], [])


async def test_messages_that_wait_for_a_slot_or_at_the_gate_are_let_go_unacknowledged_at_a_stop() -> None:
    search = held_search()
    async with bench(search, concurrency=2) as made:
        running, at_the_gate, without_slot = [await made.order(n) for n in range(3)]
        await made.deliver(running)
        made.gate.shut = asyncio.Event()
        waiting = [asyncio.ensure_future(made.deliver(task)) for task in (at_the_gate, without_slot)]
        await made.until(lambda: made.gate.entered == 2)

        made.runtime.stop_claiming()
        ended = await asyncio.gather(*waiting, return_exceptions=True)

        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        assert made.log == ["acked"]
        assert {made.status(task) for task in (at_the_gate, without_slot)} == {"QUEUED"}


async def test_a_message_in_its_claim_is_not_cut_off_by_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    search = held_search()
    async with bench(search) as made:
        task = await made.order()
        inside, go_on, claim = asyncio.Event(), asyncio.Event(), made.ledger.claim

        async def slow(task_id: TaskId) -> object:
            inside.set()
            await go_on.wait()
            return await claim(task_id)

        monkeypatch.setattr(made.ledger, "claim", slow)
        message = asyncio.ensure_future(made.deliver(task))
        await inside.wait()
        made.runtime.stop_claiming()
        go_on.set()
        with suppress(asyncio.CancelledError):
            await message
        await made.runtime.stop(5)

        assert made.log == ["acked"]
        assert (made.status(task), made.record(task)["worker"]) == ("SUBMITTED", None)
