"""What a ledger must do (DESIGN 6 and 11), as cases that the fake and the real one both pass.

`LedgerLab` is all that differs: which ledger, and how time passes. `test_ledger.py` runs them in memory,
`tests/integration/test_ledger_contract.py` on a database.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

import pytest

from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.messages import Outcome, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.retry import UnknownOutcome
from ekiden.store.task_document import NewTask
from ekiden.store.tasks import Freed
from ekiden.worker.ledger import Claim, Completed, Ended, Ledger, Saved, Usage

ASK, RESEND = UnknownOutcome.ASK, UnknownOutcome.RESEND
CAP = Micros(50_000)
LEASE_OVER = 8.5
PLACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DIFFICULT: Mapping[str, object] = {
    "$ref": "#/$defs/topic",
    "a.b": {"$set": {"$literal": "$$NOW"}},
    "text": "$status costs $5",
    "list": [{"$ref": "$_id"}, None, True, 1.5, 2**40, "駅伝"],
}
"""What a database would take for its own language if it were let."""


class Tasks(Protocol):
    """What the cases need of `TaskStore`."""

    async def create(self, tasks: Sequence[NewTask]) -> None: ...
    async def abandon(self, tasks: Iterable[tuple[TaskId, str, Provider]]) -> None: ...
    async def any_open(self, task_ids: Sequence[TaskId]) -> bool: ...
    async def outcomes(self, task_ids: Iterable[TaskId]) -> dict[TaskId, Outcome]: ...
    async def existing(self, task_ids: Sequence[TaskId]) -> dict[TaskId, TaskStatus]: ...
    async def free_expired(self) -> list[Freed]: ...
    async def due(self, limit: int) -> list[dict[str, Any]]: ...
    async def announcing(self, task_id: TaskId, at: datetime) -> bool: ...
    async def told(self, task_ids: Sequence[TaskId]) -> None: ...
    def finished_between(self, start: datetime, end: datetime) -> AsyncIterator[SessionId]: ...
    async def give_up(self, task_id: TaskId) -> bool: ...
    async def resend(self, task_id: TaskId) -> bool: ...
    async def attach(self, task_id: TaskId, run_id: str) -> bool: ...


@dataclass(frozen=True)
class View:
    """A task as both ledgers must agree on it: everything but the times."""

    status: str
    worker: str | None
    leased: bool
    epoch: int
    run_id: str | None
    submissions: tuple[tuple[int, str, int, str | None], ...]
    billed: int
    result: object
    to_announce: bool
    cancel_requested: bool
    finished: bool
    booked_late: bool
    hint: str
    cached_from: str | None
    saved: int

    @property
    def outcomes(self) -> list[str]:
        return [outcome for _, outcome, _, _ in self.submissions]


def view_of(document: Mapping[str, Any]) -> View:
    return View(
        status=str(document["status"]),
        worker=document["worker"],
        leased=document.get("leaseUntil") is not None,
        epoch=document["epoch"],
        run_id=document["runId"],
        submissions=tuple((s["epoch"], s["outcome"], s["billed"], s.get("runId")) for s in document["submissions"]),
        billed=document["billed"],
        result=document.get("result"),
        to_announce=document.get("announceAt") is not None,
        cancel_requested=bool(document.get("cancelRequested")),
        finished=document.get("finishedAt") is not None,
        booked_late=document.get("bookedAt") is not None,
        hint=document.get("hint", ""),
        cached_from=document.get("cachedFrom"),
        saved=document.get("saved", 0),
    )


class LedgerLab(ABC):
    """One test's tasks in a ledger, under a session of their own."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self.session = SessionId(f"ses_{uuid4().hex}")
        self._indexes = count()

    @abstractmethod
    def worker(
        self,
        name: str = "one",
        *,
        provider: Provider = Provider.PERPLEXITY,
        cache_seconds: float = 0.0,
    ) -> Ledger: ...

    @abstractmethod
    async def later(self, seconds: float) -> None:
        """Let time pass for this lab's tasks."""

    @abstractmethod
    async def document(self, task_id: TaskId) -> Mapping[str, Any]: ...

    @abstractmethod
    def now(self) -> datetime: ...

    async def view(self, task_id: TaskId) -> View:
        return view_of(await self.document(task_id))

    def new(
        self,
        *,
        policy: UnknownOutcome = ASK,
        question: str = "",
        tenant: str = "me",
        request: object = None,
        cache_seconds: float | None = None,
    ) -> NewTask:
        name = TaskName(self.session, Position(1, Step.EXECUTE), 1, next(self._indexes))
        asked = {"user": question} if request is None else {"user": request}
        named = f"{self.session}-{question}" if question else name.id
        return NewTask(name, tenant, Provider.PERPLEXITY, asked, named, policy, CAP, cache_seconds=cache_seconds)

    async def order(
        self,
        *,
        policy: UnknownOutcome = ASK,
        question: str = "",
        tenant: str = "me",
        request: object = None,
        cache_seconds: float | None = None,
    ) -> TaskId:
        task = self.new(policy=policy, question=question, tenant=tenant, request=request, cache_seconds=cache_seconds)
        await self.tasks.create([task])
        return task.name.id

    async def abandon(self, *task_ids: TaskId) -> None:
        await self.tasks.abandon([(task, "me", Provider.PERPLEXITY) for task in task_ids])

    async def free(self) -> list[Freed]:
        return [freed for freed in await self.tasks.free_expired() if freed.session_id == self.session]

    async def due(self) -> list[str]:
        await self.later(0.05)  # a process's copy of the database's clock may be some milliseconds behind
        return [task["_id"] for task in await self.tasks.due(10_000) if task["sessionId"] == self.session]

    async def outcome(self, task_id: TaskId) -> Outcome:
        return (await self.tasks.outcomes([task_id]))[task_id]

    async def bought(self, worker: Ledger, task_id: TaskId, cost: int = 700) -> None:
        assert await worker.complete(await claimed(worker, task_id), answer(cost)) is Saved.DECIDED


def answer(cost: int = 700, result: object = "found", response: object = None) -> Completed:
    return Completed(result, response, Usage(3, 4, Micros(cost), "test", "model"), ("marked",))


def refused(seconds: float = 0.0) -> Ended:
    return Ended("refused", "ProviderUnavailable", "not now", again_seconds=seconds, may_pass=True)


def rejected() -> Ended:
    return Ended("rejected", "RequestRejected", "never")


def run_failed(cost: int) -> Ended:
    return Ended("failed", "RunFailed", "it broke", billed=Micros(cost), may_pass=True)


def unknown(*, again: bool) -> Ended:
    return Ended("unknown", "OutcomeUnknown", "?", CAP, again_seconds=0.0 if again else None, ask=not again)


NOT_SENT = Ended("not_sent", "NotSent", "the lease was old", again_seconds=0.0)
UNUSABLE = Ended("unusable", "InvalidOutput", "$title is missing", Micros(300), again_seconds=0.0)


async def claimed(worker: Ledger, task_id: TaskId) -> Claim:
    claim = await worker.claim(task_id)
    assert claim is not None
    return claim


class LedgerContract:
    """Subclass it beside a `lab` fixture."""

    # ── claim ────────────────────────────────────────────────────────────────────────────────────────────

    rounds = 5

    async def test_of_claimants_at_the_same_time_one_gets_the_task(self, lab: LedgerLab) -> None:
        workers = [lab.worker(name) for name in ("one", "two", "three")]
        for _ in range(self.rounds):
            task = await lab.order()
            claims = await asyncio.gather(*(worker.claim(task) for worker in workers))
            assert len([claim for claim in claims if claim]) == 1
            assert len((await lab.view(task)).submissions) == 1

    async def test_a_claim_stores_owner_lease_and_intent_before_anything_is_sent(self, lab: LedgerLab) -> None:
        task = await lab.order(request=dict(DIFFICULT))

        claim = await claimed(lab.worker("one"), task)

        view = await lab.view(task)
        assert (view.status, view.worker, view.leased, view.epoch) == ("PROCESSING", "one", True, 1)
        assert view.submissions == ((1, "pending", 0, None),)
        assert not view.to_announce
        assert (claim.epoch, claim.submission, claim.attempt, claim.run_id) == (1, 1, 1, None)
        assert (claim.policy, claim.cap, claim.request) == (ASK, CAP, {"user": DIFFICULT})

    async def test_every_claim_knows_where_in_a_trace_its_task_was_ordered(self, lab: LedgerLab) -> None:
        ordered, untraced = replace(lab.new(), traceparent=PLACE), lab.new()
        await lab.tasks.create([ordered, untraced])

        first = await claimed(lab.worker("one"), ordered.name.id)
        assert await lab.worker("one").submitted(first, "run_$t")
        await lab.later(LEASE_OVER)
        await lab.free()
        taken_over = await claimed(lab.worker("two"), ordered.name.id)

        assert (first.traceparent, taken_over.traceparent) == (PLACE, PLACE)
        assert (await claimed(lab.worker("one"), untraced.name.id)).traceparent == ""

    async def test_a_task_nobody_created_is_not_claimed(self, lab: LedgerLab) -> None:
        assert await lab.worker().claim(lab.new().name.id) is None

    async def test_a_task_with_a_run_id_is_collected_and_not_submitted(self, lab: LedgerLab) -> None:
        one, two, task = lab.worker("one"), lab.worker("two"), await lab.order()
        first = await claimed(one, task)
        assert await one.submitted(first, "run_$1")
        await one.let_go(first)
        assert await lab.due() == [task]

        claim = await claimed(two, task)

        view = await lab.view(task)
        assert (claim.run_id, claim.epoch, claim.submission, claim.attempt) == ("run_$1", 2, 1, 1)
        assert (view.status, view.worker) == ("SUBMITTED", "two")
        assert view.submissions == ((1, "accepted", 0, "run_$1"),)

    async def test_a_task_is_not_claimed_before_its_time(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), refused(30))

        assert await worker.claim(task) is None
        assert await lab.due() == []
        await lab.later(31)

        assert await lab.due() == [task]
        assert (await claimed(worker, task)).tally.refused == 1

    async def test_putting_off_never_brings_a_time_forward(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.put_off(task, 60)
        await worker.put_off(task, 5)
        await lab.later(10)

        assert await worker.claim(task) is None
        await lab.later(51)
        assert await worker.claim(task)

    async def test_a_claimed_task_is_not_put_off(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        claim = await claimed(worker, task)
        await lab.worker("two").put_off(task, 60)

        assert not (await lab.view(task)).to_announce
        assert await worker.complete(claim, answer()) is Saved.DECIDED

    async def test_a_worker_does_not_claim_what_it_has_in_hand(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await claimed(worker, task)

        assert await worker.claim(task) is None
        assert (await lab.view(task)).epoch == 1

    # ── lease ────────────────────────────────────────────────────────────────────────────────────────────

    async def test_no_worker_takes_a_task_from_another_even_when_its_lease_ran_out(self, lab: LedgerLab) -> None:
        task = await lab.order()
        await claimed(lab.worker("one"), task)
        await lab.later(60)

        assert await lab.worker("two").claim(task) is None
        assert (await lab.view(task)).worker == "one"

    async def test_a_lease_that_runs_is_not_freed(self, lab: LedgerLab) -> None:
        task = await lab.order()
        await claimed(lab.worker(), task)
        await lab.later(7)

        assert await lab.free() == []

    async def test_a_renewed_lease_is_not_freed(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await claimed(worker, task)
        for _ in range(3):
            await lab.later(6)
            assert await worker.renew() == []
            assert await lab.free() == []

        await lab.later(LEASE_OVER)
        assert [freed.task_id for freed in await lab.free()] == [task]

    async def test_a_renewal_does_not_bring_back_what_was_freed(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await claimed(worker, task)
        await lab.later(LEASE_OVER)
        await lab.free()

        assert await worker.renew() == []
        assert not (await lab.view(task)).leased

    async def test_one_renewal_answers_all_cancellations_and_only_ours(self, lab: LedgerLab) -> None:
        one, two = lab.worker("one"), lab.worker("two")
        wanted, unwanted, others = [await lab.order() for _ in range(3)]
        await claimed(one, wanted)
        await claimed(one, unwanted)
        await claimed(two, others)
        await lab.abandon(unwanted, others)

        assert await one.renew() == [unwanted]
        assert await two.renew() == [others]

    async def test_a_freed_run_keeps_its_id_and_is_to_be_announced(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.submitted(await claimed(worker, task), "run_1")
        await lab.later(LEASE_OVER)

        assert [(freed.task_id, freed.status) for freed in await lab.free()] == [(task, TaskStatus.SUBMITTED)]
        view = await lab.view(task)
        assert (view.status, view.worker, view.leased, view.run_id) == ("SUBMITTED", None, False, "run_1")
        assert await lab.due() == [task]

    async def test_a_freed_call_is_unknown_and_its_money_at_risk_is_booked(self, lab: LedgerLab) -> None:
        task = await lab.order()
        await claimed(lab.worker(), task)
        await lab.later(LEASE_OVER)

        assert [freed.status for freed in await lab.free()] == [TaskStatus.OUTCOME_UNKNOWN]
        view = await lab.view(task)
        assert (view.status, view.worker, view.billed) == ("OUTCOME_UNKNOWN", None, CAP)
        assert view.submissions == ((1, "unknown", CAP, None),)
        assert await lab.due() == []
        assert await lab.worker("two").claim(task) is None

    async def test_time_alone_closes_no_unknown_outcome(self, lab: LedgerLab) -> None:
        task = await lab.order()
        await claimed(lab.worker(), task)
        await lab.later(LEASE_OVER)
        await lab.free()
        await lab.later(1_000_000)

        assert await lab.free() == []
        assert await lab.due() == []
        assert (await lab.view(task)).status == "OUTCOME_UNKNOWN"

    async def test_an_unknown_call_is_sent_again_three_times_at_most(self, lab: LedgerLab) -> None:
        worker, task = None, await lab.order(policy=RESEND)
        ends: list[TaskStatus] = []
        for n in range(4):
            worker = lab.worker(f"worker {n}")
            claim = await claimed(worker, task)
            assert claim.tally.unknown == n
            await lab.later(LEASE_OVER)
            ends += [freed.status for freed in await lab.free()]

        assert ends == [TaskStatus.QUEUED] * 3 + [TaskStatus.OUTCOME_UNKNOWN]
        assert (await lab.view(task)).billed == 4 * CAP

    async def test_a_late_workers_own_doubt_grants_no_further_resend(self, lab: LedgerLab) -> None:
        task = await lab.order(policy=RESEND)
        for n in range(4):
            worker = lab.worker(f"worker {n}")
            claim = await claimed(worker, task)
            await lab.later(LEASE_OVER)
            await lab.free()
            await worker.end(claim, unknown(again=True))

        view = await lab.view(task)
        assert (view.status, view.outcomes) == ("OUTCOME_UNKNOWN", ["unknown"] * 4)

    # ── fence ────────────────────────────────────────────────────────────────────────────────────────────

    async def replaced(self, lab: LedgerLab) -> tuple[TaskId, Ledger, Claim, Ledger, Claim]:
        """A task whose first worker was taken for dead, and that a second one works on."""
        one, two = lab.worker("one"), lab.worker("two")
        task = await lab.order(policy=RESEND)
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        return task, one, late, two, await claimed(two, task)

    async def test_a_replaced_workers_failure_is_ignored(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)

        assert await one.end(late, rejected()) is Saved.BOOKED

        assert (await lab.view(task)).status == "PROCESSING"
        assert await two.complete(claim, answer(700)) is Saved.DECIDED
        assert (await lab.view(task)).billed == 700

    @pytest.mark.parametrize("word", ["end", "submitted", "let_go"])
    async def test_of_two_claims_of_one_worker_the_older_touches_nothing(self, lab: LedgerLab, word: str) -> None:
        """The epoch is part of the fence: the worker's name alone does not tell its claims from each other."""
        before, after = lab.worker("one"), lab.worker("one")
        task = await lab.order(policy=RESEND)
        late = await claimed(before, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        claim = await claimed(after, task)
        if word == "let_go":
            await after.submitted(claim, "run_2")
        held = await lab.view(task)

        match word:
            case "end":
                assert await before.end(late, rejected()) is Saved.BOOKED
            case "submitted":
                assert not await before.submitted(late, "run_1")
            case _:
                await before.let_go(late)

        now = await lab.view(task)
        assert (now.status, now.worker, now.leased, now.epoch, now.run_id, now.submissions[-1]) == (
            held.status,
            "one",
            True,
            claim.epoch,
            held.run_id,
            held.submissions[-1],
        )

    async def test_a_replaced_workers_doubt_is_no_news(self, lab: LedgerLab) -> None:
        _, one, late, _, _ = await self.replaced(lab)

        assert await one.end(late, unknown(again=True)) is Saved.KNOWN

    async def test_a_replaced_workers_failure_still_says_what_its_call_cost(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)
        await two.complete(claim, answer(700))

        await one.end(late, run_failed(90))

        assert [row[1:3] for row in (await lab.view(task)).submissions] == [("failed_late", 90), ("completed", 700)]
        assert (await lab.outcome(task)).billed == 790

    async def test_an_answer_replaces_what_a_replaced_worker_booked_of_the_same_run(self, lab: LedgerLab) -> None:
        one, two, task = lab.worker("one"), lab.worker("two"), await lab.order()
        late = await claimed(one, task)
        await one.submitted(late, "run_1")
        await lab.later(LEASE_OVER)
        await lab.free()
        collecting = await claimed(two, task)
        assert await one.end(late, run_failed(90)) is Saved.BOOKED

        assert await two.complete(collecting, answer(700)) is Saved.DECIDED

        view = await lab.view(task)
        assert (view.status, view.submissions) == ("COMPLETED", ((1, "completed", 700, "run_1"),))
        assert view.billed == 700

    async def test_a_replaced_workers_run_id_is_kept_while_the_task_has_none(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()

        assert not await one.submitted(late, "run_1")

        view = await lab.view(task)
        assert (view.status, view.run_id, view.billed) == ("SUBMITTED", "run_1", 0)
        assert await lab.due() == [task]
        claim = await claimed(lab.worker("two"), task)
        assert (claim.run_id, claim.attempt) == ("run_1", 1)

    async def test_the_run_that_is_collected_is_the_one_that_is_booked(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)
        await two.end(claim, refused())
        await one.submitted(late, "run_1")

        third = lab.worker("three")
        collecting = await claimed(third, task)
        await third.complete(collecting, answer(700))

        assert (collecting.run_id, collecting.submission) == ("run_1", 1)
        view = await lab.view(task)
        assert view.submissions == ((1, "completed", 700, "run_1"), (2, "refused", 0, None))
        assert view.billed == 700

    async def test_a_second_run_is_only_booked(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)
        assert await two.submitted(claim, "run_2")

        assert not await one.submitted(late, "run_1")

        view = await lab.view(task)
        assert (view.run_id, view.worker) == ("run_2", "two")
        assert view.submissions == ((1, "accepted_late", late.cap, "run_1"), (2, "accepted", 0, "run_2"))

    async def test_a_replaced_workers_result_is_kept_while_the_task_is_not_final(self, lab: LedgerLab) -> None:
        task, one, late, _, _ = await self.replaced(lab)

        assert await one.complete(late, answer(600, "late but true")) is Saved.DECIDED

        view = await lab.view(task)
        assert (view.status, view.result, view.worker, view.leased) == ("COMPLETED", "late but true", None, False)

    async def test_a_late_result_answers_a_task_of_unknown_outcome(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()

        assert await one.complete(late, answer(600)) is Saved.DECIDED

        view = await lab.view(task)
        assert (view.status, view.billed, view.finished) == ("COMPLETED", 600, True)

    async def test_what_comes_second_is_booked_and_changes_nothing_else(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)
        assert await one.complete(late, answer(600, "first")) is Saved.DECIDED

        assert await two.complete(claim, answer(700, "second")) is Saved.BOOKED

        view = await lab.view(task)
        assert (view.result, view.billed, view.booked_late) == ("first", 1300, True)
        assert [row[1:3] for row in view.submissions] == [("completed", 600), ("completed_late", 700)]
        assert (await lab.outcome(task)).billed == 1300

    async def test_a_task_cancelled_in_doubt_still_books_the_answer_that_comes(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        await lab.abandon(task)

        assert await one.complete(late, answer(600)) is Saved.BOOKED

        view = await lab.view(task)
        assert (view.status, view.result, view.billed) == ("CANCELLED", None, 600)

    async def test_a_late_booking_is_found_by_its_time(self, lab: LedgerLab) -> None:
        task, one, late, two, claim = await self.replaced(lab)
        await two.complete(claim, answer())
        await lab.later(100)
        await one.complete(late, answer())

        start = lab.now() - timedelta(seconds=50)
        found = [session async for session in lab.tasks.finished_between(start, lab.now() + timedelta(seconds=50))]
        assert lab.session in found
        assert (await lab.view(task)).booked_late

    # ── lost replies ─────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize(
        "ending",
        [refused(), rejected(), run_failed(90), unknown(again=True), unknown(again=False), NOT_SENT, UNUSABLE],
        ids=lambda ending: ending.outcome,
    )
    async def test_an_ending_written_twice_counts_once(self, lab: LedgerLab, ending: Ended) -> None:
        worker, task = lab.worker(), await lab.order()
        claim = await claimed(worker, task)
        assert await worker.end(claim, ending) is Saved.DECIDED
        once = await lab.view(task)

        assert await worker.end(claim, ending) is Saved.KNOWN

        assert await lab.view(task) == once

    async def test_a_result_written_twice_counts_once(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        claim = await claimed(worker, task)
        assert await worker.complete(claim, answer(700)) is Saved.DECIDED
        once = await lab.view(task)

        assert await worker.complete(claim, answer(700)) is Saved.KNOWN

        assert await lab.view(task) == once

    async def test_a_run_id_written_twice_counts_once(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        claim = await claimed(worker, task)
        assert await worker.submitted(claim, "run_1")
        once = await lab.view(task)

        assert await worker.submitted(claim, "run_1")
        assert await lab.view(task) == once

        await lab.later(LEASE_OVER)
        await lab.free()
        freed = await lab.view(task)
        assert not await worker.submitted(claim, "run_1")
        assert await lab.view(task) == freed

    async def test_a_task_let_go_twice_stays_with_who_took_it(self, lab: LedgerLab) -> None:
        one, two, task = lab.worker("one"), lab.worker("two"), await lab.order()
        claim = await claimed(one, task)
        await one.submitted(claim, "run_1")
        await one.let_go(claim)
        await claimed(two, task)

        await one.let_go(claim)

        assert (await lab.view(task)).worker == "two"

    async def test_a_call_without_a_run_id_is_not_let_go(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.let_go(await claimed(worker, task))

        assert (await lab.view(task)).status == "PROCESSING"
        assert await lab.worker("two").claim(task) is None

    # ── abandon ──────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_creation_after_abandoning_finds_the_id_taken(self, lab: LedgerLab) -> None:
        late = lab.new()
        await lab.abandon(late.name.id)
        await lab.tasks.create([late])

        view = await lab.view(late.name.id)
        assert (view.status, view.to_announce, view.finished) == ("CANCELLED", False, True)
        assert await lab.worker().claim(late.name.id) is None

    async def test_a_task_created_twice_keeps_what_it_was_rendered_with(self, lab: LedgerLab) -> None:
        first, fresh = lab.new(request="first"), lab.new()
        again = NewTask(first.name, "me", Provider.PERPLEXITY, {"user": "other"}, "other", ASK, CAP)
        await lab.tasks.create([first])
        await lab.tasks.create([again, fresh])

        assert (await claimed(lab.worker(), first.name.id)).request == {"user": "first"}
        assert await lab.tasks.existing([fresh.name.id]) == {fresh.name.id: TaskStatus.QUEUED}

    async def test_an_abandoned_task_that_was_not_sent_is_cancelled(self, lab: LedgerLab) -> None:
        queued, in_doubt = await lab.order(), await lab.order()
        worker = lab.worker()
        await worker.end(await claimed(worker, in_doubt), unknown(again=False))

        await lab.abandon(queued, in_doubt)

        assert {(await lab.view(task)).status for task in (queued, in_doubt)} == {"CANCELLED"}
        assert (await lab.view(in_doubt)).billed == CAP
        assert await worker.claim(queued) is None

    async def test_an_abandoned_call_under_way_runs_to_its_end_and_is_booked(self, lab: LedgerLab) -> None:
        worker = lab.worker()
        sent, running = await lab.order(), await lab.order()
        first, second = await claimed(worker, sent), await claimed(worker, running)
        await worker.submitted(second, "run_1")

        await lab.abandon(sent, running)

        views = [await lab.view(task) for task in (sent, running)]
        assert [view.status for view in views] == ["PROCESSING", "SUBMITTED"]
        assert all(view.cancel_requested for view in views)
        assert await worker.complete(first, answer(600)) is Saved.DECIDED
        assert await worker.complete(second, answer(700)) is Saved.DECIDED
        assert [(await lab.outcome(task)).billed for task in (sent, running)] == [600, 700]

    async def test_an_abandoned_run_is_still_collected_after_its_worker_died(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        await one.submitted(await claimed(one, task), "run_1")
        await lab.abandon(task)
        await lab.later(LEASE_OVER)
        await lab.free()
        assert await lab.due() == [task]

        two = lab.worker("two")
        claim = await claimed(two, task)
        assert claim.run_id == "run_1"
        assert await two.renew() == [task]
        assert await two.complete(claim, answer()) is Saved.DECIDED

    @pytest.mark.parametrize(
        "ending", [refused(), refused(60), NOT_SENT, UNUSABLE, unknown(again=True), unknown(again=False)]
    )
    async def test_an_abandoned_task_is_never_queued_again(self, lab: LedgerLab, ending: Ended) -> None:
        worker, task = lab.worker(), await lab.order(policy=RESEND)
        claim = await claimed(worker, task)
        await lab.abandon(task)

        await worker.end(claim, ending)

        view = await lab.view(task)
        assert (view.status, view.to_announce, view.finished) == ("CANCELLED", False, True)
        assert view.billed == ending.billed

    async def test_an_abandoned_call_whose_lease_ran_out_is_cancelled_and_not_sent_again(self, lab: LedgerLab) -> None:
        task = await lab.order(policy=RESEND)
        await claimed(lab.worker(), task)
        await lab.abandon(task)
        await lab.later(LEASE_OVER)

        assert [freed.status for freed in await lab.free()] == [TaskStatus.CANCELLED]
        assert (await lab.view(task)).billed == CAP

    async def test_abandoning_twice_changes_nothing(self, lab: LedgerLab) -> None:
        worker = lab.worker()
        tasks = [await lab.order() for _ in range(4)]
        queued, held, done, in_doubt = tasks
        claim = await claimed(worker, held)
        await worker.submitted(claim, "run_1")
        await lab.bought(worker, done)
        await worker.end(await claimed(worker, in_doubt), unknown(again=False))
        await lab.abandon(queued, held, done, in_doubt)
        once = [await lab.view(task) for task in tasks]

        await lab.abandon(*tasks)

        assert [await lab.view(task) for task in tasks] == once
        assert [view.status for view in once] == ["CANCELLED", "SUBMITTED", "COMPLETED", "CANCELLED"]

    # ── a person's word ──────────────────────────────────────────────────────────────────────────────────

    async def test_only_an_unknown_outcome_is_closed_by_a_person(self, lab: LedgerLab) -> None:
        worker = lab.worker()
        queued, held, submitted, done = [await lab.order() for _ in range(4)]
        await claimed(worker, held)
        await worker.submitted(await claimed(worker, submitted), "run_1")
        await lab.bought(worker, done)
        for task in (queued, held, submitted, done):
            before = await lab.view(task)
            assert not await lab.tasks.give_up(task)
            assert not await lab.tasks.resend(task)
            assert not await lab.tasks.attach(task, "run_9")
            assert await lab.view(task) == before

    async def test_giving_up_ends_the_task_and_keeps_its_risk_on_the_bill(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), unknown(again=False))

        assert await lab.tasks.give_up(task)

        view = await lab.view(task)
        assert (view.status, view.billed, view.finished) == ("FAILED", CAP, True)
        assert not await lab.tasks.give_up(task)

    async def test_a_resend_closes_the_task_once_and_says_so(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), unknown(again=False))

        assert await lab.tasks.resend(task)

        outcome = await lab.outcome(task)
        assert (outcome.status, outcome.resend, outcome.billed) == (TaskStatus.FAILED, True, CAP)
        assert not await lab.tasks.resend(task)
        assert not await lab.tasks.give_up(task)
        assert await worker.claim(task) is None

    async def test_abandoning_a_task_that_is_sent_again_changes_nothing(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), unknown(again=False))
        await lab.tasks.resend(task)
        once = await lab.view(task)

        await lab.abandon(task)
        await lab.abandon(task)

        assert await lab.view(task) == once

    async def test_a_run_id_that_comes_before_a_resend_makes_it_needless(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        await one.submitted(late, "run_late")

        assert not await lab.tasks.resend(task)

        assert ((await lab.view(task)).status, await lab.due()) == ("SUBMITTED", [task])

    async def test_evidence_that_comes_after_a_resend_is_booked_with_its_run_id(self, lab: LedgerLab) -> None:
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        assert await lab.tasks.resend(task)

        assert not await one.submitted(late, "run_late")
        accepted = await lab.view(task)
        assert await one.complete(late, answer(700)) is Saved.BOOKED

        assert (accepted.status, accepted.submissions) == ("FAILED", ((1, "accepted_late", CAP, "run_late"),))
        view = await lab.view(task)
        assert (view.status, view.result, view.billed, view.booked_late) == ("FAILED", None, 700, True)

    async def test_an_attached_run_is_collected_and_costs_what_it_costs(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), unknown(again=False))

        assert await lab.tasks.attach(task, "$worker")

        view = await lab.view(task)
        assert (view.status, view.run_id, view.billed) == ("SUBMITTED", "$worker", 0)
        assert await lab.due() == [task]
        claim = await claimed(worker, task)
        assert (claim.run_id, claim.submission) == ("$worker", 1)
        await worker.complete(claim, answer(800))
        assert (await lab.outcome(task)).billed == 800

    # ── cache ────────────────────────────────────────────────────────────────────────────────────────────

    async def test_an_identical_search_is_answered_from_the_cache(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        first = await lab.order(question="what?")
        await worker.complete(await claimed(worker, first), answer(700, dict(DIFFICULT)))
        second = await lab.order(question="what?")

        assert await worker.answer_from_cache(second)

        outcome = await lab.outcome(second)
        assert (outcome.status, outcome.result, outcome.billed, outcome.saved) == ("COMPLETED", DIFFICULT, 0, 700)
        view = await lab.view(second)
        assert (view.cached_from, view.submissions, view.finished) == (first, (), True)
        document = await lab.document(second)
        assert (document["flags"], document["simulated"]) == (["marked"], False)

    async def test_an_answer_does_not_serve_beyond_its_age(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        await lab.bought(worker, await lab.order(question="what?"))
        await lab.later(3500)
        assert await worker.answer_from_cache(await lab.order(question="what?"))
        await lab.later(200)
        again = await lab.order(question="what?")

        assert not await worker.answer_from_cache(again)
        assert await worker.claim(again) is not None, "nobody is buying it any more"

    async def test_an_answer_from_the_cache_does_not_serve_again_as_bought(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        await lab.bought(worker, await lab.order(question="what?"))
        await lab.later(3000)
        await worker.answer_from_cache(await lab.order(question="what?"))
        await lab.later(3000)

        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    async def test_another_owners_answer_is_not_shared(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        await lab.bought(worker, await lab.order(question="what?", tenant="somebody else"))

        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    async def test_a_failed_search_answers_nobody(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        await worker.end(await claimed(worker, await lab.order(question="what?")), rejected())

        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    async def test_only_a_queued_search_is_answered_from_the_cache(self, lab: LedgerLab) -> None:
        one, two = lab.worker("one", cache_seconds=3600), lab.worker("two", cache_seconds=3600)
        under_way, running = await lab.order(question="what?"), await lab.order(question="why?")
        claim = await claimed(one, under_way)
        accepted = await claimed(one, running)
        await one.submitted(accepted, "run_1")
        await one.let_go(accepted)
        for question in ("what?", "why?"):
            off = lab.worker("off")
            await lab.bought(off, await lab.order(question=question))

        assert not await two.answer_from_cache(under_way)
        assert not await two.answer_from_cache(running)
        assert await one.complete(claim, answer()) is Saved.DECIDED

    async def test_of_two_identical_searches_at_once_one_is_bought(self, lab: LedgerLab) -> None:
        one, two = lab.worker("one", cache_seconds=3600), lab.worker("two", cache_seconds=3600)
        tasks = [await lab.order(question="what?") for _ in range(2)]

        claims = await asyncio.gather(one.claim(tasks[0]), two.claim(tasks[1]))

        buyer = next(claim for claim in claims if claim)
        assert claims.count(None) == 1
        waiting = tasks[1] if buyer.task_id == tasks[0] else tasks[0]
        assert (await lab.view(waiting)).submissions == ()
        await lab.later(2.5)
        assert await lab.due() == [waiting]
        assert not await two.answer_from_cache(waiting)
        await (one if buyer.task_id == tasks[0] else two).complete(buyer, answer(700))
        assert await two.answer_from_cache(waiting)
        assert (await lab.outcome(waiting)).saved == 700

    async def test_a_search_is_bought_by_the_second_when_the_first_one_failed(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        first, second = await lab.order(question="what?"), await lab.order(question="what?")
        claim = await claimed(worker, first)
        assert await worker.claim(second) is None
        await worker.end(claim, rejected())
        await lab.later(2.5)

        assert not await worker.answer_from_cache(second)
        assert await worker.claim(second)

    async def test_a_run_is_collected_although_somebody_buys_the_same_search(self, lab: LedgerLab) -> None:
        one, two = lab.worker("one", cache_seconds=3600), lab.worker("two", cache_seconds=3600)
        first, second = await lab.order(question="what?"), await lab.order(question="what?")
        await one.end(await claimed(one, first), unknown(again=False))
        await claimed(two, second)
        await lab.tasks.attach(first, "run_1")

        assert (await claimed(one, first)).run_id == "run_1"

    async def test_with_the_cache_off_both_are_bought(self, lab: LedgerLab) -> None:
        worker = lab.worker()
        first, second = await lab.order(question="what?"), await lab.order(question="what?")

        assert await worker.claim(first)
        assert await worker.claim(second)
        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    async def test_a_workflow_s_cache_time_counts_also_where_the_cache_is_off(self, lab: LedgerLab) -> None:
        worker = lab.worker()
        first = await lab.order(question="what?", cache_seconds=3600)
        second = await lab.order(question="what?", cache_seconds=3600)
        claim = await claimed(worker, first)
        assert await worker.claim(second) is None
        await worker.complete(claim, answer(700))
        await lab.later(2.5)

        assert await worker.answer_from_cache(second)
        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    async def test_a_workflow_that_forbids_the_cache_buys_each_search(self, lab: LedgerLab) -> None:
        worker = lab.worker(cache_seconds=3600)
        first = await lab.order(question="what?", cache_seconds=0)
        second = await lab.order(question="what?", cache_seconds=0)
        assert await worker.complete(await claimed(worker, first), answer(700)) is Saved.DECIDED

        assert not await worker.answer_from_cache(second)
        assert await worker.claim(second)

    async def test_calls_to_gpt_are_never_shared(self, lab: LedgerLab) -> None:
        worker = lab.worker(provider=Provider.GPT, cache_seconds=3600)
        first, second = await lab.order(question="what?"), await lab.order(question="what?")
        claim = await claimed(worker, first)
        assert await worker.claim(second)
        await worker.complete(claim, answer())

        assert not await worker.answer_from_cache(await lab.order(question="what?"))

    # ── what is stored ───────────────────────────────────────────────────────────────────────────────────

    async def test_what_was_not_sent_is_no_attempt(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), NOT_SENT)
        await worker.end(await claimed(worker, task), refused())

        claim = await claimed(worker, task)

        assert (claim.attempt, claim.epoch, claim.tally.refused) == (2, 3, 1)

    async def test_the_model_is_told_what_was_wrong_with_its_last_answer_only(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.end(await claimed(worker, task), UNUSABLE)
        again = await claimed(worker, task)
        assert (again.hint, again.tally.unusable) == ("$title is missing", 1)
        await worker.end(again, refused())

        assert (await claimed(worker, task)).hint == ""

    async def test_the_bill_is_the_sum_of_all_submissions(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order(policy=RESEND)
        for ending in (UNUSABLE, refused(), unknown(again=True), NOT_SENT):
            await worker.end(await claimed(worker, task), ending)
        await worker.complete(await claimed(worker, task), answer(700))

        view = await lab.view(task)
        assert view.outcomes == ["unusable", "refused", "unknown", "not_sent", "completed"]
        assert view.billed == 300 + CAP + 700 == (await lab.outcome(task)).billed

    async def test_an_answer_comes_back_as_it_was_stored(self, lab: LedgerLab) -> None:
        worker, task = lab.worker(), await lab.order()
        await worker.complete(await claimed(worker, task), answer(700, dict(DIFFICULT), {"raw": dict(DIFFICULT)}))

        assert (await lab.outcome(task)).result == DIFFICULT
        assert not await lab.tasks.any_open([task])

    async def test_an_announcement_is_noted_by_one(self, lab: LedgerLab) -> None:
        task = await lab.order()
        assert await lab.due() == []
        await lab.later(6)
        at = next(row["announceAt"] for row in await lab.tasks.due(10_000) if row["_id"] == task)

        noted = await asyncio.gather(*(lab.tasks.announcing(task, at) for _ in range(5)))

        assert noted.count(True) == 1
        assert await lab.due() == []

    async def test_a_task_is_announced_again_after_pauses_that_double_up_to_eighty_seconds(
        self, lab: LedgerLab
    ) -> None:
        """Its message may be held by a worker whose slots are all taken: it is not to be told of every few seconds."""
        task, error = await lab.order(), timedelta(seconds=0.5)
        for seconds in (5, 5, 10, 20, 40, 80, 80, 80):
            before = lab.now()
            await lab.tasks.told([task])

            again = (await lab.document(task))["announceAt"] - timedelta(seconds=seconds)
            assert before - error <= again <= lab.now() + error

    async def test_what_was_claimed_meanwhile_is_not_to_be_told_of_again(self, lab: LedgerLab) -> None:
        task = await lab.order()
        await claimed(lab.worker(), task)

        await lab.tasks.told([task])

        assert (await lab.document(task)).get("announceAt") is None
