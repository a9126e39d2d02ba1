"""Interleavings: what two workers, the reconciler and a person do to one task, in any order.

A deed is a word, so that a failing sequence can be read and typed in. `perform` applies one to a lab; what its worker
does not have in hand it skips. All that must hold after every deed is in `Watch`.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from ekiden.domain.ids import TaskId
from ekiden.domain.messages import FINAL
from ekiden.worker.ledger import Claim, Ended, Ledger
from tests.contract.ledger_contract import (
    LEASE_OVER,
    NOT_SENT,
    UNUSABLE,
    LedgerLab,
    View,
    answer,
    refused,
    rejected,
    run_failed,
    unknown,
)

WORKERS = ("one", "two")
OF_A_WORKER = (
    *("claim", "claim", "claim", "submitted", "submitted", "complete", "let_go", "renew"),
    *("refused", "rejected", "not_sent", "unusable", "unknown", "run_failed", "in_doubt"),
)
OF_OTHERS = ("free", "abandon", "give_up", "resend", "attach")
ENDINGS: dict[str, Ended] = {
    "refused": refused(),
    "rejected": rejected(),
    "not_sent": NOT_SENT,
    "unusable": UNUSABLE,
    "unknown": unknown(again=True),
    "in_doubt": unknown(again=False),
}
AFTER_A_RUN = frozenset({"complete", "run_failed", "in_doubt", "let_go"})
"""What can follow once a call was accepted: the provider's verdict, or that nobody knows the run."""

deeds = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(WORKERS), st.sampled_from(OF_A_WORKER), st.booleans()),
        st.tuples(st.just("nobody"), st.sampled_from(OF_OTHERS), st.just(False)),
    ),
    min_size=3,
    max_size=20,
)
"""Who, what, and whether the reply is lost, so that the write is sent a second time."""

Deed = tuple[str, str, bool]


def cost(claim: Claim) -> int:
    """Each submission has a price of its own, so that a sum tells which of them were booked."""
    return 1000 * claim.submission


@dataclass
class Play:
    """One task in one lab, with what each worker has in hand."""

    lab: LedgerLab
    task: TaskId
    workers: dict[str, Ledger]
    hands: dict[str, Claim] = field(default_factory=dict[str, Claim])
    runs: dict[str, str] = field(default_factory=dict[str, str])
    verdicts: set[int] = field(default_factory=set[int])

    async def perform(self, deed: Deed) -> None:
        who, what, twice = deed
        if who == "nobody":
            await self._others(what)
        elif what == "claim":
            if who not in self.hands and (claim := await self.workers[who].claim(self.task)) is not None:
                self.hands[who] = claim
                if claim.run_id:
                    self.runs[who] = claim.run_id
        elif what == "renew":
            await self.workers[who].renew()
        elif who in self.hands:
            await self._write(who, what, times=2 if twice else 1)

    async def finish(self) -> None:
        """Let it come to its end: the dead are freed, doubts closed, the rest is answered by a third worker."""
        third = self.lab.worker("three")
        while (view := await self.lab.view(self.task)).status not in FINAL:
            if view.status == "OUTCOME_UNKNOWN":
                await self.lab.tasks.give_up(self.task)
            elif view.worker is not None:
                await self._others("free")
            elif (claim := await third.claim(self.task)) is not None:
                await third.complete(claim, answer(cost(claim)))
                self.verdicts.add(claim.submission)

    async def _others(self, what: str) -> None:
        match what:
            case "free":
                await self.lab.later(LEASE_OVER)
                await self.lab.free()
            case "abandon":
                await self.lab.abandon(self.task)
            case "give_up":
                await self.lab.tasks.give_up(self.task)
            case "resend":
                await self.lab.tasks.resend(self.task)
            case _:
                await self.lab.tasks.attach(self.task, "run_attached")

    async def _write(self, who: str, what: str, times: int) -> None:
        claim, worker, has_run = self.hands[who], self.workers[who], who in self.runs
        if has_run != (what in AFTER_A_RUN) and what != "complete":
            return
        for _ in range(times):
            match what:
                case "submitted":
                    self.runs[who] = f"run_{claim.submission}"
                    await worker.submitted(claim, self.runs[who])
                case "complete":
                    await worker.complete(claim, answer(cost(claim)))
                case "let_go":
                    await worker.let_go(claim)
                case "run_failed":
                    await worker.end(claim, run_failed(cost(claim)))
                case _:
                    await worker.end(claim, ENDINGS[what])
        if what in {"complete", "run_failed"}:
            self.verdicts.add(claim.submission)
        if what != "submitted":
            self.hands.pop(who)
            self.runs.pop(who, None)


@dataclass
class Watch:
    """What must hold after every deed."""

    end: View | None = None

    def see(self, view: View) -> None:
        assert view.billed == sum(billed for _, _, billed, _ in view.submissions)
        assert len({epoch for epoch, *_ in view.submissions}) == len(view.submissions)
        assert (view.worker is not None) == view.leased
        assert view.worker is None or view.status in {"PROCESSING", "SUBMITTED"}
        assert (view.status in FINAL) == view.finished
        assert view.to_announce == (view.status in {"QUEUED", "SUBMITTED"} and view.worker is None)
        if self.end is not None:
            assert (view.status, view.result) == (self.end.status, self.end.result)
        if view.status in FINAL:
            self.end = view


async def play(lab: LedgerLab, order: TaskId, sequence: list[Deed]) -> View:
    """Perform a sequence and finish it; answer how the task ended."""
    acted = Play(lab, order, {name: lab.worker(name) for name in WORKERS})
    watch = Watch()
    for deed in sequence:
        await acted.perform(deed)
        watch.see(await lab.view(order))
    await acted.finish()
    for name in list(acted.hands):  # and those who were late for all of it
        await acted.perform((name, "complete", False))
        watch.see(await lab.view(order))
    end = await lab.view(order)
    paid = {epoch: billed for epoch, _, billed, _ in end.submissions}
    assert all(paid[epoch] == 1000 * epoch for epoch in acted.verdicts)
    return end
