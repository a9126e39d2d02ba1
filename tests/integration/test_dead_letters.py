"""Dead letters: kept once, shown with secrets masked, sent again once, dropped. Broker, database, gateway for real."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel

from ekiden.broker import topology
from ekiden.broker.consumer import Ack, Consumer
from ekiden.broker.publisher import Publisher
from ekiden.broker.queue_depth import QueueDepth
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.messages.dead_letter import DeadLetter
from ekiden.messages.envelope import GenerateText
from ekiden.metrics import BREAKER_OPEN, DEAD_LETTERS
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.providers import Breakers, ProviderStates
from ekiden.store.schema import ensure_schema
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden_orchestrator.gauges import Gauges
from tests.integration.conftest import Infra
from tests.integration.letters import PATIENCE_SECONDS, empty_queues, keeping, letters
from tests.integration.test_gateway_http import running, settings_for, until_ready

SESSION = SessionId("ses_" + "0" * 32)
TASK = TaskId(f"{SESSION}.1T.g1.0")
QUEUE = topology.task_queue(Provider.GPT)
LETTERS = "/api/dead-letters"
SECRET = "sk-" + "a" * 40


@dataclass
class Site:
    """A gateway and the keeper of dead letters, over one database."""

    client: httpx.AsyncClient
    store: DeadLetterStore
    database: Database
    channel: AbstractChannel
    publisher: Publisher
    infra: Infra
    url: str

    @asynccontextmanager
    async def failing(self) -> AsyncGenerator[None]:
        """A consumer that cannot decode what its queue has."""
        consumer = Consumer(self.infra.amqp_url, self.publisher)
        consumer.subscribe(QUEUE, GenerateText.model_validate_json, _never, prefetch=1)
        await consumer.start()
        try:
            yield
        finally:
            await consumer.stop()

    async def bury(self, body: bytes, message_id: str | None = None) -> Mapping[str, Any]:
        """Let a message fail, and return the letter that is made of it."""
        known = await self.store.count()
        async with self.failing():
            bad = Message(body, message_id=message_id, delivery_mode=DeliveryMode.PERSISTENT)
            await self.channel.default_exchange.publish(bad, QUEUE)
            found = await letters(self.store, known + 1)
        return next(letter for letter in found if letter["body"] == body)

    async def keep(self, number: int, **fields: Any) -> str:
        """Store a letter as the keeper does."""
        known: dict[str, Any] = {"queue": QUEUE, "exchange": "", "routing_key": QUEUE, "reason": "undecodable"}
        known |= {"error": "bad", "body": b"%d" % number, "size": len(str(number)), "message_id": f"m{number}"}
        letter = DeadLetter(**(known | fields))
        await self.store.keep(letter)
        return letter.id

    async def get(self, path: str = "", **params: Any) -> Any:
        answer = await self.client.get(LETTERS + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ready(self, queue: str) -> int:
        underlay = await self.channel.get_underlay_channel()
        return (await underlay.queue_declare(queue, passive=True)).message_count or 0

    async def until_ready(self, queue: str, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.ready(queue) != count:  # noqa: ASYNC110 - the broker has no event for this
                await asyncio.sleep(0.02)


async def _never(message: GenerateText, ack: Ack) -> None:
    raise AssertionError("it cannot be decoded")


@pytest.fixture
async def site(infra: Infra) -> AsyncIterator[Site]:
    settings = settings_for(infra)
    database = Database(infra.mongodb_url, settings.mongodb_database)
    await ensure_schema(database)
    publisher = Publisher(infra.amqp_url, Stamp(DatabaseClock()))
    await publisher.connect()
    async with (
        empty_queues(infra) as channel,
        keeping(infra, publisher, database) as store,
        running(settings) as (_, url),
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
    ):
        await until_ready(client)
        yield Site(client, store, database, channel, publisher, infra, url)
    await publisher.close()
    await database.close()


async def test_a_letter_is_listed_with_its_reason_and_shown_with_its_body(site: Site) -> None:
    body = json.dumps({"taskId": TASK, "sessionId": SESSION, "schemaVersion": 9}).encode()
    kept = await site.bury(body)

    [listed] = (await site.get())["items"]
    shown = await site.get(f"/{kept['_id']}")

    assert (listed["id"], listed["queue"], listed["reason"]) == (kept["_id"], QUEUE, "undecodable")
    assert (listed["sessionId"], listed["taskId"], listed["deaths"]) == (SESSION, TASK, 1)
    assert "schemaVersion" in listed["error"]
    assert "body" not in listed
    assert shown["body"] == json.loads(body)
    assert shown | listed == shown
    assert await site.ready(topology.DEAD_LETTERS) == 0


async def test_no_secret_is_shown(site: Site) -> None:
    body = json.dumps({"apiKey": "hidden by its name", "deep": [{"password": "x"}, f"{SECRET} in a text"]})
    headers = [await site.bury(body.encode()), await site.bury(f"no JSON {SECRET}".encode())]
    kept = await site.keep(1, error=f"refused {SECRET}", headers={"authorization": "Basic abc", "note": SECRET})

    pages = [json.dumps(await site.get())]
    pages += [json.dumps(await site.get(f"/{letter}")) for letter in [kept, *(row["_id"] for row in headers)]]

    for page in pages:
        assert SECRET not in page
        assert "hidden by its name" not in page
        assert "Basic abc" not in page
    assert "***" in pages[1]


async def test_a_letter_that_is_delivered_twice_is_kept_once(site: Site) -> None:
    headers: dict[str, Any] = {"ekiden-reason": "undecodable", "ekiden-queue": QUEUE, "ekiden-deaths": 1}
    for _ in range(3):
        twice = Message(b"the same", headers=headers, message_id="m1", delivery_mode=DeliveryMode.PERSISTENT)
        await site.channel.default_exchange.publish(twice, topology.DEAD_LETTERS)
    other = Message(b"the same", headers=headers, message_id="m2", delivery_mode=DeliveryMode.PERSISTENT)
    await site.channel.default_exchange.publish(other, topology.DEAD_LETTERS)

    found = await letters(site.store, 2)

    assert sorted(letter["messageId"] for letter in found) == ["m1", "m2"]


async def test_whatever_lies_in_the_queue_of_dead_letters_is_kept(site: Site) -> None:
    odd: dict[str, Any] = {
        "$where": "1",
        "a.b": 3.5,
        "nul\0": {"deep": [1, None]},
        "ekiden-deaths": 2**62,
        "ekiden-died-at": "0001-01-01T00:00:00+14:00",
        "ekiden-reason": "odd",
    }
    forged = {"x-death": [{"routing-keys": 5, "queue": [1], "reason": None, "time": "no time", "exchange": {}}]}
    strange_headers: list[dict[str, Any]] = [{}, odd, {"x-death": "no list"}, forged]
    for number, headers in enumerate(strange_headers):
        strange = Message(b"\x00\xff%d" % number, headers=headers)
        await site.channel.default_exchange.publish(strange, topology.DEAD_LETTERS)

    found = await letters(site.store, len(strange_headers))
    page = await site.get()

    assert {letter["reason"] for letter in found} == {"unknown", "odd"}
    assert all(item["notReplayable"] for item in page["items"])
    await site.until_ready(topology.DEAD_LETTERS, 0)


async def test_letters_wait_in_their_queue_while_the_database_is_away(site: Site) -> None:
    site.infra.stack.pause("mongod")
    try:
        for n in range(10):
            dead = Message(b"%d" % n, message_id=f"m{n}", delivery_mode=DeliveryMode.PERSISTENT)
            await site.channel.default_exchange.publish(dead, topology.DEAD_LETTERS)
        await site.until_ready(topology.DEAD_LETTERS, 6)  # the other four are held unacknowledged
    finally:
        site.infra.stack.resume("mongod")

    assert len(await letters(site.store, 10)) == 10
    await site.until_ready(topology.DEAD_LETTERS, 0)


async def test_a_replay_sends_the_body_to_its_queue_and_takes_the_letter_off_the_list(site: Site) -> None:
    kept = await site.bury(b"once more")
    first = await site.client.post(f"{LETTERS}/{kept['_id']}/replay")
    again = await site.client.post(f"{LETTERS}/{kept['_id']}/replay")

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["replayedAt"]
    await site.until_ready(QUEUE, 1)
    sent = await (await site.channel.get_queue(QUEUE)).get()
    await sent.ack()
    assert sent.body == b"once more"
    assert sent.delivery_mode is DeliveryMode.PERSISTENT
    assert (await site.get())["items"] == []
    assert [item["id"] for item in (await site.get(replayed=True))["items"]] == [kept["_id"]]
    assert await site.store.count() == 0


async def test_a_letter_that_dies_again_is_a_new_one_with_its_count(site: Site) -> None:
    first = await site.bury(b"hopeless")
    await site.client.post(f"{LETTERS}/{first['_id']}/replay")
    async with site.failing():
        [second] = await letters(site.store, 1)

    assert (second["body"], second["deaths"], first["deaths"]) == (b"hopeless", 2, 1)
    assert second["_id"] != first["_id"]
    assert [item["id"] for item in (await site.get())["items"]] == [second["_id"]]


async def test_the_same_message_from_elsewhere_after_its_replay_is_listed_again(site: Site) -> None:
    kept = await site.bury(b"garbage", "m1")
    await site.client.post(f"{LETTERS}/{kept['_id']}/replay")
    await (await site.channel.get_queue(QUEUE)).purge()

    assert (await site.bury(b"garbage", "m1"))["_id"] == kept["_id"]
    assert len((await site.get())["items"]) == 1


async def test_of_many_replays_at_once_one_is_sent(site: Site) -> None:
    letter = await site.keep(1)

    answers = await asyncio.gather(*(site.client.post(f"{LETTERS}/{letter}/replay") for _ in range(20)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    await site.until_ready(QUEUE, 1)


async def test_without_a_broker_nothing_is_replayed_and_nothing_marked(site: Site) -> None:
    letter, *_ = [await site.keep(number) for number in range(30)]
    site.infra.stack.pause("rabbitmq")
    try:
        one = await site.client.post(f"{LETTERS}/{letter}/replay")
        many = await site.client.post(f"{LETTERS}/replay", params={"queue": QUEUE})
    finally:
        site.infra.stack.resume("rabbitmq")

    for refused in (one, many):
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert refused.json()["type"] == "/problems/broker-away"
    assert [item["replayedAt"] for item in (await site.get(limit=100))["items"]] == 30 * [None]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await site.client.post(f"{LETTERS}/{letter}/replay")).status_code != 200:  # noqa: ASYNC110 - by HTTP
            await asyncio.sleep(0.1)
    assert (await site.client.post(f"{LETTERS}/replay")).json() == {"replayed": 29, "refused": 0}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"size": 10_000_000}, "only the beginning"),
        ({"queue": ""}, "nobody knows where"),
        ({"queue": topology.DEAD_LETTERS}, "no work queue"),
        ({"queue": "somebody-elses"}, "no work queue"),
    ],
)
async def test_what_cannot_be_replayed_says_why(site: Site, fields: dict[str, Any], why: str) -> None:
    letter = await site.keep(1, **fields)

    answer = await site.client.post(f"{LETTERS}/{letter}/replay")

    assert answer.status_code == 409
    assert why in answer.json()["detail"]
    assert why in (await site.get())["items"][0]["notReplayable"]
    assert (await site.client.post(f"{LETTERS}/replay")).json() == {"replayed": 0, "refused": 1}


async def test_letters_are_dropped_one_by_one_or_by_reason(site: Site) -> None:
    first, *_ = [await site.keep(n, reason="undecodable" if n < 3 else "oversized") for n in range(5)]

    assert (await site.client.delete(f"{LETTERS}/{first}")).json() == {"dropped": 1}
    assert (await site.client.delete(f"{LETTERS}/{first}")).status_code == 404
    assert (await site.client.delete(LETTERS)).status_code == 422
    assert (await site.client.delete(LETTERS, params={"reason": "oversized"})).json() == {"dropped": 2}
    assert {item["reason"] for item in (await site.get())["items"]} == {"undecodable"}
    assert (await site.client.post(f"{LETTERS}/replay", params={"reason": "undecodable"})).json()["replayed"] == 2
    await site.until_ready(QUEUE, 2)


async def test_pages_show_each_letter_once(site: Site) -> None:
    kept = {await site.keep(n, queue=topology.ORCHESTRATOR) for n in range(7)}
    await site.keep(7)
    shown: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await site.get(queue=topology.ORCHESTRATOR, limit=3, **cursor)
        shown += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}

    assert len(shown) == 7
    assert set(shown) == kept


async def test_an_unknown_letter_is_a_problem(site: Site) -> None:
    unknown = f"{LETTERS}/dl_{'0' * 32}"
    for answer in (
        await site.client.get(unknown),
        await site.client.post(f"{unknown}/replay"),
        await site.client.delete(unknown),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-dead-letter")
    assert (await site.client.get(f"{LETTERS}/nonsense")).status_code == 422


async def test_where_there_are_keys_letters_are_for_operators(infra: Infra) -> None:
    keys = "boss:boss-secret-0123456789:admin,read,writer:writer-secret-012345678:read,write"
    async with running(settings_for(infra, api_keys=keys)) as (_, url), httpx.AsyncClient(base_url=url) as client:
        await until_ready(client)

        async def status(secret: str) -> int:
            return (await client.get(LETTERS, headers={"X-API-Key": secret})).status_code

        assert await status("boss-secret-0123456789") == 200
        assert await status("writer-secret-012345678") == 403
        assert await status("no-key-of-ours-at-all") == 401


async def test_the_gauge_counts_what_is_kept_and_what_is_still_queued(infra: Infra) -> None:
    database = Database(infra.mongodb_url, f"gauge_{uuid4().hex[:8]}")
    store, queues = DeadLetterStore(database), QueueDepth(infra.amqp_url)
    await queues.connect()
    async with empty_queues(infra) as channel:
        for n in range(3):
            await store.keep(DeadLetter(QUEUE, "", QUEUE, "undecodable", "bad", b"%d" % n, 1))
        [first, *_] = await store.page({}, None, 1)
        assert await store.begin_replay(first["_id"])
        assert await store.end_replay(first["_id"], sent=True)
        for _ in range(2):  # no orchestrator is there to take them
            await channel.default_exchange.publish(Message(b"", delivery_mode=2), topology.DEAD_LETTERS)

        states = ProviderStates(database)
        await Gauges(
            SessionStore(database), TaskStore(database), states, store, DeliveryStore(database), queues, database.clock
        ).measure()

        assert DEAD_LETTERS._value.get() == 4
        await (await channel.get_queue(topology.DEAD_LETTERS)).purge()
    await queues.close()
    await database.close()


async def test_an_open_breaker_is_measured_though_no_worker_runs(infra: Infra) -> None:
    database = Database(infra.mongodb_url, f"gauge_{uuid4().hex[:8]}")
    await database.synchronise_clock()
    queues, gauge = QueueDepth(infra.amqp_url), BREAKER_OPEN.labels(provider=Provider.PERPLEXITY)
    await queues.connect()
    async with empty_queues(infra):
        states, letters = ProviderStates(database), DeadLetterStore(database)
        gauges = Gauges(
            SessionStore(database),
            TaskStore(database),
            states,
            letters,
            DeliveryStore(database),
            queues,
            database.clock,
        )
        await Breakers(database).open(Provider.PERPLEXITY, "a test")
        await gauges.measure()
        assert gauge._value.get() == 1

        await Breakers(database).close(Provider.PERPLEXITY)
        await gauges.measure()
        assert gauge._value.get() == 0
    await queues.close()
    await database.close()


async def test_the_command_line_lists_shows_replays_and_drops(site: Site) -> None:
    letter = await site.keep(1, error="\x1b[31mbad")
    other = await site.keep(2, reason="oversized")

    async def ekiden(*arguments: str) -> tuple[int, str]:
        environment = dict(os.environ) | {"EKIDEN_GATEWAY_URL": site.url}
        command = [sys.executable, "-m", "ekiden_cli", "dead-letters", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 2 * PATIENCE_SECONDS)
        assert b"Traceback" not in err
        return process.returncode or 0, out.decode()

    listed, filtered, shown, unknown, nothing = await asyncio.gather(
        ekiden("list"),
        ekiden("list", "--reason", "oversized", "--json"),
        ekiden("show", letter),
        ekiden("show", f"dl_{'0' * 32}"),
        ekiden("replay"),
    )
    assert (listed[0], len(listed[1].splitlines()), "\x1b" in listed[1]) == (0, 2, False)
    assert [item["id"] for item in json.loads(filtered[1])["items"]] == [other]
    assert (shown[0], letter in shown[1], "Reason:    undecodable" in shown[1]) == (0, True, True)
    assert (unknown[0], nothing[0]) == (3, 2)

    done = await asyncio.gather(ekiden("replay", letter), ekiden("drop", "--reason", "oversized", "--json"))
    assert done[0] == (0, "1 replayed.\n")
    assert (done[1][0], json.loads(done[1][1])) == (0, {"dropped": 1})
    assert (await site.get())["items"] == []
