"""The real ledger beside the fake, step by step, and with several processes' worth of callers at once."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings

from ekiden.domain.messages import FINAL
from ekiden.domain.plan import Provider
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database
from ekiden.store.tasks import TaskStore
from tests.contract.ledger_contract import ASK, LEASE_OVER, RESEND, answer, claimed, rejected
from tests.contract.ledger_interleavings import WORKERS, Deed, Play, Watch, deeds, play
from tests.contract.test_ledger import FakeLab
from tests.contract.test_ledger_interleavings import LATE, LATE_FOR_A_RESEND
from tests.integration.mongo_lab import MongoLab

RACES = 30
SLOW_AND_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def lab(database: Database) -> MongoLab:
    return MongoLab(database)


async def agree(lab: MongoLab, policy: UnknownOutcome, sequence: list[Deed]) -> None:
    real, fake = MongoLab(lab.database), FakeLab()
    plays = [
        Play(side, await side.order(policy=policy), {name: side.worker(name) for name in WORKERS})
        for side in (real, fake)
    ]
    watch = Watch()
    for deed in sequence:
        for acted in plays:
            await acted.perform(deed)
        seen, expected = [await acted.lab.view(acted.task) for acted in plays]
        watch.see(seen)
        assert seen == expected, f"after {deed}"


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(sequence=deeds)
@example(sequence=LATE)
async def test_the_real_ledger_does_what_the_fake_does_where_a_resend_is_allowed(
    lab: MongoLab, sequence: list[Deed]
) -> None:
    await agree(lab, RESEND, sequence)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(sequence=deeds)
@example(sequence=LATE)
@example(sequence=LATE_FOR_A_RESEND)
async def test_the_real_ledger_does_what_the_fake_does_where_a_person_is_asked(
    lab: MongoLab, sequence: list[Deed]
) -> None:
    await agree(lab, ASK, sequence)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(sequence=deeds)
async def test_any_sequence_ends_in_one_final_state(lab: MongoLab, sequence: list[Deed]) -> None:
    assert (await play(lab, await lab.order(policy=RESEND), sequence)).status in FINAL


async def test_a_renewal_and_a_reconciler_at_once_leave_one_owner(lab: MongoLab) -> None:
    for _ in range(RACES):
        worker, task = lab.worker("one"), await lab.order(policy=RESEND)
        await claimed(worker, task)
        await lab.later(LEASE_OVER)
        await asyncio.gather(worker.renew(), lab.tasks.free_expired(), lab.tasks.free_expired())

        view = await lab.view(task)
        if view.status == "PROCESSING":
            assert (view.worker, view.leased, view.outcomes) == ("one", True, ["pending"])
        else:
            assert (view.status, view.worker, view.outcomes) == ("QUEUED", None, ["unknown"])


async def test_a_lease_that_is_renewed_between_the_look_and_the_freeing_is_not_freed(
    lab: MongoLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, task = lab.worker(), await lab.order()
    await claimed(worker, task)
    await lab.later(LEASE_OVER)
    store = lab.store
    free = store._free

    async def renewed_first(found: dict[str, object]) -> object:
        await worker.renew()
        return await free(found)

    monkeypatch.setattr(store, "_free", renewed_first)

    assert await lab.free() == []
    assert (await lab.view(task)).status == "PROCESSING"


async def test_two_reconcilers_free_a_task_once(lab: MongoLab) -> None:
    for _ in range(RACES):
        task = await lab.order(policy=RESEND)
        await claimed(lab.worker("one"), task)
        await lab.later(LEASE_OVER)
        freed = await asyncio.gather(lab.free(), lab.free())

        assert sum(len(found) for found in freed) == 1
        assert (await lab.view(task)).outcomes == ["unknown"]


async def test_abandoning_and_creating_at_once_leave_a_task_that_nobody_claims(lab: MongoLab) -> None:
    for _ in range(RACES):
        new = lab.new()
        await asyncio.gather(lab.abandon(new.name.id), lab.tasks.create([new]))

        assert (await lab.view(new.name.id)).status == "CANCELLED"
        assert await lab.worker().claim(new.name.id) is None


async def test_abandoning_and_claiming_at_once_never_leave_a_cancelled_task_with_an_owner(lab: MongoLab) -> None:
    for _ in range(RACES):
        worker, task = lab.worker(), await lab.order()
        claim, _ = await asyncio.gather(worker.claim(task), lab.abandon(task))

        view = await lab.view(task)
        assert (view.status, view.worker) == (("PROCESSING", "one") if claim else ("CANCELLED", None))
        if claim:
            assert view.cancel_requested


async def test_a_result_and_a_failure_at_once_leave_one_of_them(lab: MongoLab) -> None:
    for _ in range(RACES):
        one, two = lab.worker("one"), lab.worker("two")
        task = await lab.order(policy=RESEND)
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        claim = await claimed(two, task)
        await asyncio.gather(one.complete(late, answer(600)), two.end(claim, rejected()))

        view = await lab.view(task)
        assert view.status in {"COMPLETED", "FAILED"}
        assert view.billed == 600


@pytest.mark.parametrize("evidence", ["run id", "answer"])
async def test_a_resend_and_late_evidence_at_once_leave_one_of_them(lab: MongoLab, evidence: str) -> None:
    """Whichever comes first: the search is sent again, or its answer is taken, never both."""
    for _ in range(RACES):
        one, task = lab.worker("one"), await lab.order()
        late = await claimed(one, task)
        await lab.later(LEASE_OVER)
        await lab.free()
        came = one.submitted(late, "run_late") if evidence == "run id" else one.complete(late, answer(700))
        asked, _ = await asyncio.gather(lab.tasks.resend(task), came)

        outcome = await lab.outcome(task)
        taken = outcome.status in {"SUBMITTED", "COMPLETED"}
        assert asked != taken
        assert outcome.resend == asked
        assert evidence == "answer" or (await lab.view(task)).submissions[0][3] == "run_late"


async def test_twenty_identical_searches_at_once_are_bought_once(lab: MongoLab) -> None:
    workers = [lab.worker(f"worker {n}", cache_seconds=3600) for n in range(20)]
    tasks = [await lab.order(question="what?") for _ in workers]

    claims = await asyncio.gather(*(w.claim(task) for w, task in zip(workers, tasks, strict=True)))

    bought = [(w, claim) for w, claim in zip(workers, claims, strict=True) if claim]
    assert len(bought) == 1
    worker, claim = bought[0]
    await worker.complete(claim, answer(700))
    await lab.later(3)
    others = [task for task in tasks if task != claim.task_id]
    assert all(await asyncio.gather(*(workers[0].answer_from_cache(task) for task in others)))
    outcomes = await lab.tasks.outcomes(tasks)
    assert sum(outcome.billed for outcome in outcomes.values()) == 700


async def test_a_search_that_was_answered_between_the_look_and_the_claim_is_not_bought(lab: MongoLab) -> None:
    one, two = lab.worker("one", cache_seconds=3600), lab.worker("two", cache_seconds=3600)
    first, second = await lab.order(question="what?"), await lab.order(question="what?")
    claim = await claimed(one, first)
    assert not await two.answer_from_cache(second), "it has not been answered yet"
    await one.complete(claim, answer(700))

    assert await two.claim(second) is None

    outcomes = await lab.tasks.outcomes([second])
    assert (outcomes[second].status, outcomes[second].billed, outcomes[second].saved) == ("COMPLETED", 0, 700)


async def test_an_abandoned_search_runs_on_and_serves_the_one_that_replaced_it(
    lab: MongoLab, database: Database
) -> None:
    worker = lab.worker("one", cache_seconds=3600)
    first, second = await lab.order(question="what?"), await lab.order(question="what?")
    claim = await claimed(worker, first)
    await worker.submitted(claim, "run_1")
    await TaskStore(database).abandon([(first, "owner", Provider.PERPLEXITY)], cancel=False)

    assert not await worker.renew(), "nobody asks the provider to stop it"
    await worker.complete(claim, answer(700))

    assert await worker.answer_from_cache(second)


async def test_a_claim_whose_reply_was_lost_is_taken_up_by_the_worker_that_made_it(lab: MongoLab) -> None:
    task = await lab.order()
    name = "one"
    lost = await claimed(lab.worker(name), task)  # handed to nobody: the process never saw it

    again = await claimed(lab.worker(name), task)

    assert (again.epoch, again.submission, again.run_id) == (lost.epoch, lost.submission, None)
    assert (await lab.view(task)).outcomes == ["pending"]


async def test_a_claim_whose_reply_was_lost_is_not_renewed_for_ever(lab: MongoLab) -> None:
    worker, task = lab.worker("one"), await lab.order()
    await claimed(lab.worker("one"), task)  # the reply that `worker` never got
    other = await lab.order()
    await claimed(worker, other)
    await lab.later(7)
    await worker.renew()
    await lab.later(2)

    assert [freed.task_id for freed in await lab.free()] == [task]
    assert (await lab.view(other)).status == "PROCESSING"


async def test_one_process_that_is_told_twice_at_once_claims_once(lab: MongoLab) -> None:
    for _ in range(RACES):
        worker, task = lab.worker(), await lab.order()
        claims = await asyncio.gather(*(worker.claim(task) for _ in range(3)))
        assert len([claim for claim in claims if claim]) == 1


@pytest.mark.parametrize("policy", [ASK, RESEND])
async def test_a_claim_is_journaled_whatever_its_policy(
    lab: MongoLab, policy: UnknownOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill of the database cannot be seen from here (the fault runs do that); the durability asked for can."""
    worker, task = lab.worker(), await lab.order(policy=policy)
    assert worker._journaled.write_concern.document == {"w": "majority", "j": True}
    monkeypatch.setattr(worker, "_quick", None)

    assert await worker.claim(task)
