"""After a restore, on a real database: what had not ended is of unknown outcome, and nothing is sent by itself."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from ekiden.domain.ids import Micros, SessionId, TaskId
from ekiden.domain.messages import Pause, Resend, RetryDue, Start, Trust
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, WaitingReason
from ekiden.relay import Relay
from ekiden.restore import AfterRestore, Doubt, Turned
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database
from ekiden.store.drafts import DraftStore
from ekiden.store.ledger import MongoLedger
from ekiden.store.sessions import SessionStore
from ekiden.store.task_writes import RESTORED
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden.worker.ledger import Claim, Completed, Ended, Saved, Usage
from ekiden_cli.addresses import Addresses
from ekiden_cli.doctor import after_restore as doctor
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.workflow import ANSWERS, small_package
from tests.integration.conftest import Infra

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
POLICIES = {GPT: UnknownOutcome.RESEND, SEARCH: UnknownOutcome.ASK}
COST, CAP, GPT_CAP = Micros(700), Micros(50_000), Micros(10_000)
SEARCHES = 3
MOST_SEARCHES = 5
"""What a step may fan out to when its workflow does not say: what is counted before it is planned."""


@dataclass
class Site:
    """The parts of the system around one session, without broker: what would be announced is remembered."""

    database: Database
    relay: Relay
    announcer: FakeAnnouncer
    workflow: str
    id: SessionId = field(default_factory=lambda: SessionId(f"ses_{uuid4().hex}"))

    @property
    def tasks(self) -> TaskStore:
        return self.relay.tasks

    def worker(self, provider: Provider, name: str = "one") -> MongoLedger:
        return MongoLedger(self.database, name, provider, cache_seconds=3600)

    async def create(self) -> None:
        now, money = self.database.clock.now(), Money(Micros(10_000_000))
        await self.relay.sessions.create(Session(self.id, "me", self.workflow, {"theme": "tea"}, "en", now, money))

    async def start(self) -> TaskId:
        await self.create()
        await self.relay.say(self.id, lambda _: Start(self.database.clock.now()))
        return (await self.session()).waits_for[0]

    async def session(self) -> Session:
        found = await self.relay.sessions.load(self.id)
        assert found is not None
        return found

    async def claim(self, task: TaskId, provider: Provider = SEARCH, name: str = "one") -> Claim:
        claim = await self.worker(provider, name).claim(task)
        assert claim is not None
        return claim

    async def answer(self, task: TaskId, provider: Provider = SEARCH, result: object = None) -> None:
        worker = self.worker(provider)
        claim = await worker.claim(task)
        assert claim is not None
        await worker.complete(claim, Completed(result or {"text": "found"}, None, Usage(billed=COST)))

    async def think(self) -> tuple[TaskId, ...]:
        await self.answer((await self.session()).waits_for[0], GPT, ANSWERS["questions"])
        await self.relay.look(self.id)
        return (await self.session()).waits_for

    async def searching(self) -> tuple[TaskId, ...]:
        await self.start()
        return await self.think()

    async def document(self, task: TaskId) -> dict[str, Any]:
        found = await self.database.journaled("tasks").find_one({"_id": task})
        assert found is not None
        return found

    async def everything(self) -> list[dict[str, Any]]:
        await self.tasks.flush()
        found = [self.database.journaled(name).find({}).sort("_id") for name in ("sessions", "tasks")]
        return [row for rows in found for row in await rows.to_list()]

    async def turn(self) -> Turned:
        return await AfterRestore(self.database).turn()

    async def survey(self) -> Doubt:
        (found,) = await AfterRestore(self.database).survey()
        return found

    async def resend(self, task: TaskId) -> None:
        """A person's word, as the gateway says it."""
        assert await self.tasks.resend(task)
        await self.relay.say(self.id, lambda _: Resend(self.database.clock.now(), task))
        await self.relay.look(self.id)

    def waiting(self, session: Session) -> bool:
        return session.waiting_reason is WaitingReason.OUTCOME_UNKNOWN


@pytest.fixture
async def site(database: Database) -> Site:
    for left_over in ("sessions", "tasks"):
        await database.journaled(left_over).delete_many({})
    announcer, workflows = FakeAnnouncer(), WorkflowStore(database, POLICIES)
    stores = SessionStore(database), TaskStore(database), DraftStore(database), workflows
    relay = Relay(*stores, announcer, database.clock, POLICIES)
    return Site(database, relay, announcer, (await workflows.save(small_package())).id)


# ── what had not ended ───────────────────────────────────────────────────────────────────────────────────


async def test_a_search_nobody_had_claimed_is_unknown_and_booked_at_its_cap(site: Site) -> None:
    tasks = await site.searching()

    turned = await site.turn()

    assert turned == Turned(sessions=1, searches=SEARCHES, calls=0)
    row = await site.document(tasks[0])
    assert (row["status"], row["billed"], row["epoch"]) == ("OUTCOME_UNKNOWN", CAP, 1)
    assert [(s["outcome"], s["error"]) for s in row["submissions"]] == [("unknown", RESTORED)]
    assert not await site.worker(SEARCH).claim(tasks[0]), "nobody may send it"


async def test_one_that_was_claimed_is_unknown_under_the_claim_it_had(site: Site) -> None:
    tasks = await site.searching()
    await site.claim(tasks[0], name="dead")

    await site.turn()

    row = await site.document(tasks[0])
    assert (row["status"], row["worker"], row["billed"]) == ("OUTCOME_UNKNOWN", None, CAP)
    assert [s["outcome"] for s in row["submissions"]] == ["unknown"]
    assert not {"leaseUntil", "buying", "announceAt"} & set(row)


async def test_a_run_on_record_is_kept_and_collected_when_a_person_attaches_it(site: Site) -> None:
    tasks = await site.searching()
    await site.worker(SEARCH).submitted(await site.claim(tasks[0]), "run_1")

    await site.turn()
    row = await site.document(tasks[0])
    assert (row["status"], row["runId"]) == ("OUTCOME_UNKNOWN", "run_1")
    assert "run_1" in row["error"]["message"]

    assert await site.tasks.attach(tasks[0], "run_1")
    claim = await site.claim(tasks[0], name="next")
    assert claim.run_id == "run_1"
    await site.worker(SEARCH, "next").complete(claim, Completed({"text": "found"}, None, Usage(billed=COST)))
    assert (await site.document(tasks[0]))["billed"] == COST, "what it really cost stands in place of the cap"


async def test_one_that_was_never_sent_may_have_a_run_attached_too(site: Site) -> None:
    tasks = await site.searching()
    await site.turn()
    assert await site.tasks.attach(tasks[1], "run_found_at_the_provider")
    assert (await site.claim(tasks[1])).run_id == "run_found_at_the_provider"


async def test_an_identical_search_of_somebody_else_is_not_held_up(site: Site) -> None:
    """The unique index of searches being bought knows nothing of what is lost."""
    tasks = await site.searching()
    await site.claim(tasks[0], name="dead")
    await site.turn()
    other = Site(site.database, site.relay, site.announcer, site.workflow)
    assert await other.claim((await other.searching())[0])


async def test_an_answer_that_comes_late_all_the_same_is_kept_and_booked_as_it_is(site: Site) -> None:
    """A worker that outlived the loss of the database, and saves what it had in hand."""
    tasks = await site.searching()
    worker = site.worker(SEARCH, "survivor")
    claim = await worker.claim(tasks[0])
    assert claim is not None
    await site.database.journaled("tasks").update_one(  # as the backup had it: queued
        {"_id": tasks[0]}, {"$set": {"status": "QUEUED", "epoch": 0, "submissions": [], "worker": None}}
    )
    await site.turn()

    assert await worker.complete(claim, Completed({"text": "found"}, None, Usage(billed=COST))) is Saved.DECIDED

    row = await site.document(tasks[0])
    assert (row["status"], row["billed"], len(row["submissions"])) == ("COMPLETED", COST, 1)


async def test_a_search_of_a_session_that_is_over_is_not_sent_either(site: Site) -> None:
    tasks = await site.searching()
    await site.database.journaled("sessions").update_one({"_id": site.id}, {"$set": {"status": "COMPLETED"}})
    assert (await site.survey()).status == "over"
    assert (await site.turn()).searches == SEARCHES
    assert {(await site.document(task))["status"] for task in tasks} == {"OUTCOME_UNKNOWN"}


# ── GPT calls ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gpt_call_goes_on_by_its_policy_and_is_counted(site: Site) -> None:
    task = await site.start()
    await site.claim(task, GPT, "dead")

    assert (await site.turn()).calls == 1

    row = await site.document(task)
    assert (row["status"], row["worker"], row["billed"]) == ("QUEUED", None, GPT_CAP)
    claim = await site.claim(task, GPT, "next")
    assert (claim.attempt, claim.tally.unknown) == (2, 1)


async def test_one_that_was_resent_often_enough_is_asked_for(site: Site) -> None:
    task = await site.start()
    for number in range(4):
        await site.claim(task, GPT, f"dead {number}")
        await site.turn()
    assert (await site.document(task))["status"] == "OUTCOME_UNKNOWN"


async def test_a_policy_of_asking_is_followed(site: Site) -> None:
    task = await site.start()
    await site.database.journaled("tasks").update_one({"_id": task}, {"$set": {"onUnknown": "ask"}})
    await site.turn()
    assert (await site.document(task))["status"] == "OUTCOME_UNKNOWN"


# ── what is ordered later ────────────────────────────────────────────────────────────────────────────────


async def test_searches_ordered_later_are_unknown_and_nobody_is_told_of_them(site: Site) -> None:
    await site.start()
    await site.turn()
    site.announcer.commands.clear()

    tasks = await site.think()

    assert [(await site.document(task))["status"] for task in tasks] == ["OUTCOME_UNKNOWN"] * SEARCHES
    assert site.announcer.commands == []
    assert site.waiting(await site.session()), "it waits at once, and not for the reconciler"
    assert await site.tasks.due(100) == [], "nor will anybody be told"
    row = await site.document(tasks[0])
    assert (row["billed"], row["epoch"], row["submissions"][0]["error"]) == (CAP, 1, RESTORED)


async def test_searches_that_the_backup_had_lost_are_made_again_as_unknown(site: Site) -> None:
    tasks = await site.searching()
    await site.database.journaled("tasks").delete_many({"_id": {"$in": list(tasks)}})
    await site.turn()

    await site.relay.send_again(await site.session())

    assert {(await site.document(task))["status"] for task in tasks} == {"OUTCOME_UNKNOWN"}


async def test_a_retry_that_was_due_asks_first(site: Site) -> None:
    tasks = await site.searching()
    for task in tasks:
        worker = site.worker(SEARCH)
        claim = await worker.claim(task)
        assert claim is not None
        await worker.end(claim, Ended("failed", "RunFailed", "no luck", may_pass=True))
    await site.relay.look(site.id)
    assert (await site.session()).waiting_reason is WaitingReason.RETRY
    await site.turn()

    await site.relay.say(site.id, lambda _: RetryDue(site.database.clock.now()))

    session = await site.session()
    assert site.waiting(session)
    assert {(await site.document(task))["status"] for task in session.waits_for} == {"OUTCOME_UNKNOWN"}


async def test_a_word_that_the_ledger_had_before_the_backup_is_asked_for_again(site: Site) -> None:
    """The gateway had closed the task and died; after the backup a look ordered, and bought, its successor."""
    tasks = await site.searching()
    await site.claim(tasks[0], name="dead")
    await site.database.journaled("tasks").update_one({"_id": tasks[0]}, {"$set": {"status": "OUTCOME_UNKNOWN"}})
    for task in tasks[1:]:
        await site.answer(task)
    assert await site.tasks.resend(tasks[0])
    await site.turn()

    await site.relay.look(site.id)

    session = await site.session()
    successor = next(task for task in session.waits_for if task not in tasks)
    assert (await site.document(successor))["status"] == "OUTCOME_UNKNOWN"
    await site.resend(successor)
    assert [t for t in (await site.session()).waits_for if (await site.document(t))["status"] == "QUEUED"]


# ── going on ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_search_that_a_person_sends_again_is_bought_and_no_other(site: Site) -> None:
    tasks = await site.searching()
    await site.turn()
    await site.relay.look(site.id)
    site.announcer.commands.clear()

    await site.resend(tasks[0])
    assert len(site.announcer.commands) == 1
    await site.answer(site.announcer.commands[0])
    await site.resend(tasks[1])
    await site.resend(tasks[2])
    for task in site.announcer.commands[1:]:
        await site.answer(task)
    await site.relay.look(site.id)
    for task in [t for t in site.announcer.commands if (await site.document(t))["status"] == "QUEUED"]:
        await site.answer(task)  # the third was said while the second was on its way, and ordered behind it
    await site.relay.look(site.id)

    assert (await site.session()).status is Status.INTEGRATING


async def test_a_trusted_session_buys_what_it_orders(site: Site) -> None:
    await site.start()
    await site.turn()
    await site.relay.say(site.id, lambda _: Trust(site.database.clock.now()))

    tasks = await site.think()

    assert {(await site.document(task))["status"] for task in tasks} == {"QUEUED"}


async def test_a_paused_session_stays_paused(site: Site) -> None:
    await site.searching()
    await site.relay.say(site.id, lambda _: Pause(site.database.clock.now()))
    await site.turn()
    assert (await site.session()).waiting_reason is WaitingReason.PAUSED


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_run_changes_nothing(site: Site) -> None:
    tasks = await site.searching()
    await site.answer(tasks[0])
    other = Site(site.database, site.relay, site.announcer, site.workflow)
    await other.start()
    await site.turn()
    before = await site.everything()

    assert await site.turn() == Turned(0, 0, 0)
    assert await site.everything() == before


@pytest.mark.parametrize(
    ("status", "marked"),
    [
        *[(status, 1) for status in (Status.PENDING, Status.THINKING, Status.FAILED)],
        *[(status, 0) for status in (Status.COMPLETED, Status.CANCELLED)],
    ],
)
async def test_whatever_may_still_order_something_is_marked(site: Site, status: Status, marked: int) -> None:
    await site.create()
    await site.database.journaled("sessions").update_one({"_id": site.id}, {"$set": {"status": status.value}})
    assert (await site.turn()).sessions == marked


async def test_a_run_that_was_cut_off_behind_the_marks_is_made_up_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.searching()

    async def dies(_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ekiden.store.restored.RestoredLedger.doubt_searches", dies)
        with pytest.raises(KeyboardInterrupt):
            await site.turn()
    assert await site.turn() == Turned(sessions=0, searches=SEARCHES, calls=0)


async def test_the_survey_counts_what_is_unknown_and_what_is_to_come(site: Site) -> None:
    await site.create()
    pending = await site.survey()
    assert (pending.status, pending.searches, pending.expected) == ("PENDING", 0, MOST_SEARCHES)
    await site.database.journaled("sessions").delete_many({})
    tasks = await site.searching()
    await site.answer(tasks[0])

    found = await site.survey()

    assert (found.searches, found.at_risk, found.expected) == (2, 2 * CAP, 0)
    assert not found.is_marked
    await site.turn()
    assert (await site.survey()).is_marked


async def test_it_is_not_run_beside_services(site: Site, infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    """This very test is connected under the services' name."""
    monkeypatch.setattr(doctor, "CLOSING_SECONDS", 0.0)
    await site.searching()
    before = await site.everything()
    name = site.database.journaled("tasks").database.name
    addresses = Addresses("", None, infra.mongodb_url, name, None, None, "a test")

    with pytest.raises(doctor.StillRunning, match="Nothing was changed"):
        await doctor.after_restore(addresses, dry_run=False)

    assert await site.everything() == before
    said = list(doctor.lines(await doctor.after_restore(addresses, dry_run=True)))
    assert said[0] == f"Database {name} at {infra.mongodb_url.split('/')[2]}, from a test"
    assert "3 searches unknown (at risk 0.15 USD)" in said[1]
    assert said[2] == "A dry run, nothing was changed."
    assert await site.everything() == before
