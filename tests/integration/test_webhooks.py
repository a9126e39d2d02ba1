"""Webhooks on a real database, with receivers that misbehave: made once, sent at least once, in nobody's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from standardwebhooks import Webhook as Verifier
from structlog.testing import capture_logs

from ekiden.backbone import end
from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.messages import Cancel, Start
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status
from ekiden.relay import Relay
from ekiden.retry import UnknownOutcome
from ekiden.store.database import Database, Document
from ekiden.store.deliveries import CLAIMED_FOR, DeliveryStatus, DeliveryStore, Lane, NewDelivery
from ekiden.store.drafts import DraftStore
from ekiden.store.pruning import PruningStore
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.webhooks import WebhookStore
from ekiden.store.workflows import WorkflowStore
from ekiden.webhooks.endpoint import LOOKED_AT_EVERY, Secret, Webhook, of_session
from ekiden.webhooks.events import PING, EventKind, body
from ekiden.webhooks.guard import Allowed
from ekiden.webhooks.schedule import ATTEMPTS, FAILING_FOR, PAUSES, Answer
from ekiden.webhooks.signature import new_secret
from ekiden.webhooks.transport import CheckedTransport, Resolver, WebhookClient
from ekiden_orchestrator import webhook_sender
from ekiden_orchestrator.loops import forever
from ekiden_orchestrator.retention import Retention
from ekiden_orchestrator.webhook_feed import OVERLAP, WebhookFeed
from ekiden_orchestrator.webhook_sender import WebhookSender
from tests.fakes.announcer import FakeAnnouncer
from tests.fakes.receiver import Receiver, answer, cut, hang
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
COLLECTIONS = ("sessions", "tasks", "webhooks", "deliveries", "marks", "pruned")
A_MOMENT = timedelta(milliseconds=10)
PATIENCE_SECONDS = 60.0
DOWN = answer(500, "out of order")


@dataclass
class Later:
    """The database's clock, and as much later as a test says: days pass in no time."""

    database: Database
    by: timedelta = timedelta()

    def now(self) -> datetime:
        return self.database.clock.now() + self.by


@dataclass
class Office:
    """Sessions, who hears of them, and orchestrators' parts that tell them."""

    database: Database
    relay: Relay
    workflow: str
    clock: Later
    senders: list[WebhookSender] = field(default_factory=list[WebhookSender])

    @property
    def webhooks(self) -> WebhookStore:
        return WebhookStore(self.database)

    @property
    def deliveries(self) -> DeliveryStore:
        return DeliveryStore(self.database, self.clock)

    def feed(self) -> WebhookFeed:
        return WebhookFeed(self.relay.sessions, self.webhooks, self.deliveries, self.clock)

    def sender(self, deadline: float = PATIENCE_SECONDS) -> WebhookSender:
        transport = CheckedTransport(Allowed.read("127.0.0.1"), Resolver())
        client = WebhookClient(transport, self.clock, deadline)
        made = WebhookSender(self.webhooks, self.deliveries, client, self.clock, lambda: 0.5)
        self.senders.append(made)
        return made

    async def webhook(self, url: str, **more: Any) -> Webhook:
        now = self.clock.now() - A_MOMENT
        secrets = (Secret(new_secret()),)
        made = Webhook(f"whk_{uuid4().hex}", "me", url, url.split("/")[2], now, now, secrets)
        made = replace(made, **more)
        assert await self.webhooks.create(made)
        return made

    async def session_of(self, url: str) -> Webhook:
        return await self.webhook(url, id=of_session("me", url), session_only=True)

    async def session(self, **more: Any) -> SessionId:
        session = Session(
            id=SessionId(f"ses_{uuid4().hex}"),
            owner="me",
            workflow=self.workflow,
            input={"theme": "tea"},
            language="en",
            created_at=self.clock.now(),
            money=Money(Micros(1_000_000)),
        )
        session = replace(session, **more)
        assert await self.relay.sessions.create(session)
        return session.id

    async def started(self, **more: Any) -> SessionId:
        session_id = await self.session(**more)
        await self.relay.say(session_id, lambda _: Start(self.clock.now()))
        return session_id

    async def cancelled(self, **more: Any) -> SessionId:
        """A session that tells two things: that it was started, and that it was cancelled."""
        session_id = await self.started(**more)
        await self.relay.say(session_id, lambda _: Cancel(self.clock.now()))
        return session_id

    async def ping(self, webhook: Webhook, count: int = 1) -> list[str]:
        ids = [f"msg_{uuid4().hex}" for _ in range(count)]
        text = body(PING, self.clock.now(), {"webhookId": webhook.id})
        await self.deliveries.add([NewDelivery(one, webhook, PING, text) for one in ids])
        return ids

    async def rows(self, **query: object) -> list[Document]:
        return await self.database.journaled("deliveries").find(query).sort("createdAt").to_list()

    async def row(self) -> Document:
        (found,) = await self.rows()
        return found

    async def told(self, **query: object) -> list[str]:
        """The kinds of what is to be told, in the order of the sessions' versions."""
        return [row["type"] for row in sorted(await self.rows(**query), key=lambda row: row.get("version") or 0)]


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    for left_over in COLLECTIONS:
        await database.journaled(left_over).delete_many({})
    workflows = WorkflowStore(database, POLICIES)
    stores = SessionStore(database), TaskStore(database), DraftStore(database), workflows
    relay = Relay(*stores, FakeAnnouncer(), database.clock, POLICIES)
    made = Office(database, relay, (await workflows.save(small_package())).id, Later(database))
    yield made
    for sender in made.senders:
        await sender.client.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as made:
        yield made


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("ekiden_webhook_deliveries_total", {"outcome": outcome}) or 0.0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - another task's work, and another process's
            await asyncio.sleep(0.01)


# ── what is told, and to whom ────────────────────────────────────────────────────────────────────────────


async def test_what_happens_to_a_session_is_told_once_and_verifies(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    session_id = await office.cancelled()
    assert await office.feed().feed() == 2
    await office.sender().send_due()
    heard = [Verifier(webhook.secrets[0].text).verify(one.body, one.headers) for one in receiver.received]
    assert sorted(one["type"] for one in heard) == ["session.cancelled", "session.started"]
    assert {one["data"]["sessionId"] for one in heard} == {session_id}
    rows = await office.rows()
    assert {row["_id"] for row in rows} == set(receiver.ids)
    assert [(row["status"], row["attempts"][0]["status"], row["attempts"][0]["excerpt"]) for row in rows] == [
        ("DELIVERED", 200, "ok")
    ] * 2


async def test_a_session_that_names_an_address_tells_it_and_no_other_session_does(office: Office) -> None:
    url = "https://a.example/hook"
    webhook = await office.session_of(url)
    named, _ = await office.started(webhook_url=url), await office.started()
    await office.feed().feed()
    assert [(row["webhook"], row["sessionId"]) for row in await office.rows()] == [(webhook.id, named)]


async def test_nobody_hears_of_somebody_else_s_sessions(office: Office) -> None:
    await office.webhook("https://a.example/hook", owner="you")
    await office.session_of("https://b.example/hook")
    await office.started()
    await office.started(owner="them", webhook_url="https://b.example/hook")
    assert await office.feed().feed() == 0


async def test_an_address_that_is_named_twice_hears_once(office: Office) -> None:
    url = "https://a.example/hook"
    general, _ = await office.webhook(url), await office.session_of(url)
    await office.started(webhook_url=url)
    await office.feed().feed()
    assert [row["webhook"] for row in await office.rows()] == [general.id]


async def test_a_webhook_hears_of_the_kinds_it_chose(office: Office) -> None:
    await office.webhook("https://a.example/hook", events=frozenset({EventKind.CANCELLED, EventKind.COMPLETED}))
    await office.cancelled()
    await office.feed().feed()
    assert await office.told() == ["session.cancelled"]


async def test_a_new_webhook_is_not_told_of_what_was(office: Office) -> None:
    session_id = await office.started()
    await asyncio.sleep(0.005)
    now = office.clock.now() + A_MOMENT
    await office.webhook("https://a.example/hook", hears_since=now)
    office.clock.by = 2 * A_MOMENT
    await office.relay.say(session_id, lambda _: Cancel(office.clock.now()))
    await office.feed().feed()
    assert await office.told() == ["session.cancelled"]


async def test_a_disabled_webhook_is_told_nothing(office: Office) -> None:
    await office.webhook("https://a.example/hook", disabled_at=office.clock.now())
    await office.webhook("https://b.example/hook", disabled_at=office.clock.now())
    await office.started()
    assert await office.feed().feed() == 0


async def test_however_many_look_however_often_it_is_stored_once(office: Office) -> None:
    for host in "abc":
        await office.webhook(f"https://{host}.example/hook")
    for _ in range(10):
        await office.cancelled()
    feeds = [office.feed() for _ in range(4)]
    new = await asyncio.gather(*(feed.feed() for feed in feeds))
    again = [await feed.feed() for feed in [*feeds, office.feed()]]
    assert (sum(new), sum(again), len(await office.rows())) == (60, 0, 60)


async def test_a_move_that_is_seen_late_is_told_all_the_same(office: Office) -> None:
    """A write may come to be seen behind one with a later time; it is found in the overlap."""
    await office.webhook("https://a.example/hook")
    feed = office.feed()
    office.clock.by = OVERLAP / 2
    await feed.feed()
    await office.started()
    assert await feed.feed() == 1


async def test_after_days_without_an_orchestrator_nothing_is_missing(office: Office) -> None:
    await office.webhook("https://a.example/hook")
    await office.feed().feed()
    session_id = await office.started()
    office.clock.by = timedelta(days=3)
    await office.relay.say(session_id, lambda _: Cancel(office.clock.now()))
    moved = {"$set": {"movedAt": office.clock.now()}}
    await office.database.journaled("sessions").update_one({"_id": session_id}, moved)
    office.clock.by += timedelta(days=2)
    assert await office.feed().feed() == 2
    assert await office.told() == ["session.started", "session.cancelled"]


async def test_a_look_back_that_is_interrupted_is_done_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.webhook("https://a.example/hook")
    for _ in range(3):
        await office.started()
    office.clock.by = 2 * OVERLAP
    feed = office.feed()
    with monkeypatch.context() as patch:
        patch.setattr(DeliveryStore, "add", _away)
        with pytest.raises(ConnectionError):
            await feed.feed()
    assert await feed.feed() == 3


async def _away(*_: object) -> int:
    raise ConnectionError


async def test_where_nobody_hears_a_pass_is_one_read(office: Office) -> None:
    await office.started()
    feed = office.feed()
    await feed.feed()
    profile = office.database
    await profile.journaled("system.profile").drop()
    await profile._database.command({"profile": 2})
    try:
        await feed.feed()
    finally:
        await profile._database.command({"profile": 0})
    asked = await profile.journaled("system.profile").find({"op": {"$in": ["query", "command"]}}).to_list()
    assert [row["ns"].partition(".")[2] for row in asked if "find" in row["command"]] == ["webhooks"]
    await profile.journaled("system.profile").drop()


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_senders_side_by_side_send_each_once(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    ids = await office.ping(webhook, 60)
    await asyncio.gather(office.sender().send_due(), office.sender().send_due())
    assert sorted(receiver.ids) == sorted(ids)
    assert {row["status"] for row in await office.rows()} == {"DELIVERED"}


async def test_what_a_dead_sender_had_taken_the_next_one_sends(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    (name,) = await office.ping(webhook)
    receiver.behaves = hang()
    dead = office.sender()
    await dead.begin_due()
    await until(lambda: receiver.at_once == 1)
    for task in dead._sending:
        task.cancel()  # as a kill would: it notes nothing
    receiver.behaves = answer(200)
    await office.sender().send_due()
    assert receiver.ids == [name], "its claim has not run out"
    office.clock.by = CLAIMED_FOR + A_MOMENT
    await office.sender().send_due()
    assert receiver.ids == [name, name], "under the same id, so that the receiver can tell"
    assert (await office.row())["status"] == "DELIVERED"


async def test_who_was_replaced_writes_no_more(office: Office) -> None:
    webhook = await office.webhook("https://a.example/")
    await office.ping(webhook)
    first = await office.deliveries.claim(await office.deliveries.lanes_due())
    office.clock.by = CLAIMED_FOR + A_MOMENT
    second = await office.deliveries.claim(await office.deliveries.lanes_due())
    assert first is not None
    assert second is not None
    assert not await office.deliveries.again(first, Answer(500), 5)
    assert await office.deliveries.end(second, Answer(200), DeliveryStatus.DELIVERED)
    assert not await office.deliveries.end(first, Answer(500), DeliveryStatus.FAILED)
    assert [attempt["status"] for attempt in (await office.row())["attempts"]] == [200]


async def test_a_receiver_that_comes_back_gets_what_it_missed(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    await office.ping(webhook)
    receiver.behaves = DOWN
    sender = office.sender()
    for pause in PAUSES[:4]:
        await sender.send_due()
        row = await office.row()
        assert row["dueAt"] - row["attempts"][-1]["at"] >= timedelta(seconds=pause) - A_MOMENT
        office.clock.by += timedelta(seconds=pause + 1)
    assert (await office.webhooks.load(webhook.id) or webhook).failing_since is not None
    receiver.behaves = answer(204)
    await sender.send_due()
    row = await office.row()
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 500, 500, 500, 204]
    assert row["attempts"][0]["excerpt"] == "out of order"
    assert (await office.webhooks.load(webhook.id) or webhook).failing_since is None


async def test_what_fails_for_three_days_is_given_up_and_said(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    await office.ping(webhook)
    receiver.behaves = DOWN
    before, sender = counted("failed"), office.sender()
    with capture_logs() as logs:
        for pause in (*PAUSES, 0):
            await sender.send_due()
            office.clock.by += timedelta(seconds=pause + 1)
    row = await office.row()
    assert (row["status"], row["because"], row["attemptCount"]) == ("FAILED", "its last attempt has failed", ATTEMPTS)
    assert ("dueAt" in row, counted("failed")) == (False, before + 1)
    assert [line["event"] for line in logs] == ["webhook_delivery_failed"]
    assert (await office.webhooks.load(webhook.id) or webhook).disabled_at is None, "it was not five days"


async def test_a_receiver_that_is_gone_gets_nothing_more(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    await office.ping(webhook)
    receiver.behaves = answer(410)
    with capture_logs() as logs:
        await office.sender().send_due()
    await office.ping(webhook)
    await office.sender().send_due()
    assert receiver.connections == 1
    disabled = await office.webhooks.load(webhook.id)
    assert disabled is not None
    assert (disabled.disabled_because, disabled.revision) == ("its receiver answered 410 Gone", 1)
    assert "webhook_disabled" in [line["event"] for line in logs]
    assert [(row["status"], row["because"]) for row in await office.rows()] == [
        ("FAILED", "the receiver said that it is gone"),
        ("FAILED", "the webhook is disabled: its receiver answered 410 Gone"),
    ]


async def test_a_webhook_of_which_nothing_arrived_for_days_is_disabled(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url(), failing_since=office.clock.now() - FAILING_FOR)
    await office.ping(webhook)
    receiver.behaves = cut()
    await office.sender().send_due()
    disabled = await office.webhooks.load(webhook.id)
    assert disabled is not None
    assert disabled.disabled_because == "nothing has arrived for 5 days"


async def test_a_receiver_that_asks_for_time_is_left_alone_for_it(office: Office, receiver: Receiver) -> None:
    await office.ping(await office.webhook(receiver.url()))
    receiver.behaves = answer(503, retry_after="3600")
    await office.sender().send_due()
    row = await office.row()
    assert timedelta(hours=1) <= row["dueAt"] - row["attempts"][0]["at"] < timedelta(hours=1, minutes=1)


async def test_a_slow_receiver_holds_up_nobody_else(office: Office, receiver: Receiver) -> None:
    async with Receiver(behaves=hang()).listening() as slow:
        await office.ping(await office.webhook(slow.url()), 40)
        quick = await office.ping(await office.webhook(receiver.url()), 40)
        sender = office.sender()
        running = asyncio.create_task(forever("sender", sender.pass_once))
        await until(lambda: len(receiver.received) == len(quick))
        assert slow.connections == slow.most_at_once == webhook_sender.TO_ONE_HOST
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(webhook_sender, "STOP_SECONDS", 0.0)
            await end([running])
            await sender.stop()
    assert not sender._sending


async def test_an_owner_with_many_slow_receivers_leaves_room_for_others(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "OF_ONE_OWNER", 6)
    monkeypatch.setattr(webhook_sender, "AT_ONCE", 8)
    monkeypatch.setattr(webhook_sender, "STOP_SECONDS", 0.0)
    async with Receiver(behaves=hang()).listening() as slow:
        for number in range(5):
            await office.ping(await office.webhook(slow.url(), host=f"name {number}"), 3)
        other = await office.ping(await office.webhook(receiver.url(), owner="you"), 3)
        sender = office.sender()
        running = asyncio.create_task(forever("sender", sender.pass_once))
        await until(lambda: len(receiver.received) == len(other) and slow.at_once == 6)
        await end([running])
        await sender.stop()
    assert slow.most_at_once == 6


async def test_deliveries_of_a_webhook_that_is_gone_go_unsent(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    await office.ping(webhook, 3)
    await office.webhooks.delete(webhook.id)
    await office.sender().send_due()
    assert (receiver.connections, await office.rows()) == (0, [])


async def test_after_a_rotation_each_attempt_is_signed_with_both(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    new = new_secret()
    now = office.clock.now()
    await office.webhooks.edit(webhook, replace(webhook, secrets=webhook.rotated(new, now)))
    await office.ping(webhook)
    await office.sender().send_due()
    (got,) = receiver.received
    for secret in (webhook.secrets[0].text, new):
        Verifier(secret).verify(got.body, got.headers)


async def test_a_replay_is_a_new_round_under_the_same_id(office: Office, receiver: Receiver) -> None:
    webhook = await office.webhook(receiver.url())
    (name,) = await office.ping(webhook)
    sender = office.sender()
    await sender.send_due()
    assert (await office.deliveries.replay(webhook.id, name) or {})["status"] == "PENDING"
    assert await office.deliveries.replay("whk_another", name) is None
    await sender.send_due()
    assert (receiver.ids, (await office.row())["attemptCount"]) == ([name, name], 2)


async def test_what_is_being_sent_is_not_replayed_beside_it(office: Office) -> None:
    webhook = await office.webhook("https://a.example/")
    (name,) = await office.ping(webhook)
    assert await office.deliveries.claim(await office.deliveries.lanes_due()) is not None
    assert await office.deliveries.replay(webhook.id, name) is None


async def test_what_waits_for_a_receiver_that_hangs_is_not_walked_through(office: Office, receiver: Receiver) -> None:
    """Of three receivers one has thousands of deliveries due: a sender reads a handful of keys to find the others'."""
    hanging = await office.webhook("https://hangs.example/")
    (model,) = await office.ping(hanging)
    row = (await office.rows(_id=model))[0]
    many = [
        row | {"_id": f"{model}{number}", "dueAt": row["dueAt"] - timedelta(seconds=number)} for number in range(5000)
    ]
    await office.database.quick("deliveries").insert_many(many, ordered=False)
    for owner in ("you", "they"):
        await office.ping(await office.webhook(receiver.url(), owner=owner))
    sender = office.sender()
    sender._hosts[hanging.host] = webhook_sender.TO_ONE_HOST
    await office.database._database.command({"profile": 2})
    try:
        await sender.send_due()
    finally:
        await office.database._database.command({"profile": 0})
    asked = await office.database.journaled("system.profile").find({"ns": {"$regex": r"\.deliveries$"}}).to_list()
    await office.database.journaled("system.profile").drop()
    assert len(receiver.received) == 2
    assert {row["op"] for row in asked} >= {"command"}
    assert max(row.get("keysExamined", 0) for row in asked) <= 10, [row.get("planSummary") for row in asked]


# ── in nobody's way ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_ends_as_soon_with_a_receiver_that_is_down_as_without(office: Office) -> None:
    """Whoever moves a session neither reads nor writes anything of webhooks."""
    await office.webhook("http://127.0.0.1:9/")
    await office.database.journaled("system.profile").drop()
    await office.database._database.command({"profile": 2})
    try:
        session_id = await office.cancelled()
    finally:
        await office.database._database.command({"profile": 0})
    touched = {
        row["ns"].partition(".")[2] for row in await office.database.journaled("system.profile").find().to_list()
    }
    await office.database.journaled("system.profile").drop()
    assert "sessions" in touched
    assert not touched & {"webhooks", "deliveries", "marks"}
    session = await office.relay.sessions.load(session_id)
    assert session is not None
    assert session.status is Status.CANCELLED


async def test_deliveries_are_pruned_with_their_session(office: Office) -> None:
    await office.webhook("https://a.example/")
    old, young = await office.cancelled(), await office.cancelled()
    await office.feed().feed()
    await office.database.journaled("sessions").update_one(
        {"_id": old}, {"$set": {"finishedAt": office.clock.now() - timedelta(days=31), "reserved": []}}
    )
    await Retention(PruningStore(office.database), office.clock, timedelta(days=30)).prune()
    assert {row["sessionId"] for row in await office.rows()} == {young}


async def test_the_address_of_sessions_goes_with_the_last_that_names_it(office: Office) -> None:
    urls = [f"https://{name}.example/" for name in ("unnamed", "named", "rotated", "disabled", "lately")]
    sessions = [await office.session(webhook_url=url) for url in urls]
    *_, last = stored = [await office.relay.sessions.load(session_id) for session_id in sessions]
    for session in stored:
        assert session is not None
        await office.webhooks.listen(session)
    assert last is not None
    loaded = [await office.webhooks.load(of_session("me", url)) for url in urls]
    _, _, rotated, disabled, _ = [found for found in loaded if found is not None]
    await office.webhooks.edit(rotated, replace(rotated, secrets=rotated.rotated(new_secret(), office.clock.now())))
    await office.webhooks.disable(disabled.id, "its receiver answered 410 Gone", office.clock.now())
    await office.database.journaled("sessions").delete_many({"_id": {"$in": [*sessions[:1], *sessions[2:]]}})

    store, now = PruningStore(office.database), office.clock.now()
    assert await store.remove_webhooks(now - LOOKED_AT_EVERY, now, 10) == 0
    office.clock.by = LOOKED_AT_EVERY * 1.01
    later = office.clock.now()
    await office.webhooks.listen(replace(last, created_at=later))  # of the last one, which is not stored yet
    retention = Retention(store, office.clock, timedelta(days=30))
    await retention.prune()
    assert {one.url for one in await office.webhooks.page("me", None, 10)} == {urls[1], urls[2], urls[4]}
    await office.database.journaled("sessions").delete_many({})
    office.clock.by *= 3
    await retention.prune()
    assert [one.url for one in await office.webhooks.page("me", None, 10)] == [urls[2]]


async def test_the_database_s_absence_loses_nothing(office: Office, infra: Infra, receiver: Receiver) -> None:
    """It hangs under both loops, which go on by themselves when it is back."""
    await office.webhook(receiver.url())
    impatient = Database(infra.mongodb_url, office.database._database.name, timeout_ms=1500)
    await impatient.synchronise_clock()
    away = replace(office, database=impatient, relay=replace(office.relay, sessions=SessionStore(impatient)))
    feed, sender = away.feed(), away.sender()
    loops = [asyncio.create_task(forever("test", do)) for do in (feed.pass_once, sender.pass_once)]
    try:
        await office.cancelled()
        await until(lambda: len(receiver.received) == 2)
        with capture_logs() as logs:
            infra.stack.pause("mongod")
            try:
                await until(lambda: sum(line["event"] == "loop_postponed" for line in logs) >= 2)
            finally:
                infra.stack.resume("mongod")
        await office.cancelled()
        await until(lambda: len(set(receiver.ids)) == 4)
    finally:
        await end(loops)
        await sender.stop()
        await impatient.close()


async def test_every_query_uses_an_index(office: Office) -> None:
    webhook = await office.webhook("https://a.example/")
    await office.started()
    await office.feed().feed()
    now = office.clock.now()
    due = {"dueAt": {"$gt": BEGINNING_OF_TIME, "$lte": now}}
    queries: list[tuple[str, Document]] = [
        ("deliveries", due),
        ("deliveries", due | {"lane": {"$in": [Lane("x", "y").document()]}}),
        ("webhooks", {"owner": "me", "namedAt": {"$gt": BEGINNING_OF_TIME}}),
        ("webhooks", {"namedAt": {"$gt": BEGINNING_OF_TIME, "$lt": now}}),
        ("sessions", {"owner": "me", "webhookUrl": "https://a.example/"}),
        ("deliveries", {"webhook": webhook.id, "status": {"$in": ["FAILED"]}}),
        ("deliveries", {"sessionId": "x"}),
        ("webhooks", {"owner": "me"}),
        ("webhooks", {"owner": {"$in": ["me"]}, "sessionOnly": False, "disabledAt": None}),
        ("sessions", {"movedAt": {"$gte": now, "$lt": now}, "$or": [{"webhookUrl": {"$type": "string"}}]}),
    ]
    for name, query in queries:
        plan = await office.database.journaled(name).find(query).explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), (name, query)
