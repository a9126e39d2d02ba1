"""The worker runtime between a fake ledger and fake providers: what is done in which order, and what survives what."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.plan import Provider
from ekiden.errors import OutcomeUnknown, ProviderUnavailable, RateLimited, RequestRejected, RunFailed, Unreachable
from ekiden.retry import UnknownOutcome
from ekiden.store.tasks import NewTask
from ekiden.worker import runtime as runtime_module
from ekiden.worker.adapter import Adapter, Call, Running, Submitted
from ekiden.worker.lease import LEASE_SECONDS, Fence, Leases
from ekiden.worker.ledger import Claim, Completed, Ended, Usage
from ekiden.worker.polling import PollPlan
from ekiden.worker.runtime import Runtime
from tests.fakes.adapters import InstantGpt, InstantSearch
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.gate import FakeGate
from tests.fakes.ledger import FakeLedger, FakeTasks, Record

SESSION = SessionId("ses_" + "0" * 32)
CAP = Micros(50_000)


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


class Bench:
    """A runtime on a bench: everything around it can be seen and broken."""

    def __init__(self, adapter: Adapter, policy: UnknownOutcome, concurrency: int, longest_run: float) -> None:
        self.policy = policy
        self.tasks = FakeTasks()
        self.ledger = FakeLedger(self.tasks, "one", adapter.provider)
        self.gate = FakeGate()
        self.announcer = FakeAnnouncer()
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
        return asyncio.wait_for(self.runtime.deliver(task, SESSION, ack or self.ack), 5)

    def record(self, task: TaskId) -> Record:
        return self.tasks.records[task]

    def status(self, task: TaskId) -> str:
        return str(self.record(task)["status"])

    async def until(self, condition: Callable[[], bool], what: str = "it") -> None:
        async with asyncio.timeout(5):
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
        task = await made.order()
        other = FakeLedger(made.tasks, "dead")
        claim = await other.claim(task)
        assert claim is not None
        await other.submitted(claim, "run_x")
        await other.let_go(claim)

        await made.deliver(task)
        await made.until_status(task, "COMPLETED")

        assert search.calls == []


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

        async def refuses(*_: object) -> bool:
            raise OverflowError("MongoDB can only handle up to 8-byte ints")

        monkeypatch.setattr(made.ledger, "complete", refuses)
        await made.deliver(task)
        await made.until(lambda: made.runtime.in_flight == 0)

        record = made.record(task)
        assert (record["status"], record["worker"], record["billed"]) == ("QUEUED", None, 100)
        assert [s["outcome"] for s in record["submissions"]] == ["unusable"]


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

        async def heard(claim: Claim, ending: Ended) -> bool:
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
        with pytest.raises(TimeoutError):  # a wait for nothing to happen: ten times what a claim takes here
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

        await made.runtime.stop(10)

        assert time.monotonic() - began < 1
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
