"""The routes of webhooks over a gateway that runs, with the part of an orchestrator that sends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from ekiden.store.database import Database
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.sessions import SessionStore
from ekiden.store.webhooks import WebhookStore
from ekiden.webhooks import endpoint
from ekiden.webhooks.guard import Allowed
from ekiden.webhooks.transport import CheckedTransport, Resolver, WebhookClient
from ekiden_gateway import receivers
from ekiden_gateway.views.session import BASE as SESSIONS
from ekiden_gateway.views.webhooks import BASE
from ekiden_orchestrator.webhook_feed import WebhookFeed
from ekiden_orchestrator.webhook_sender import WebhookSender
from tests.fakes.receiver import Receiver, answer
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package

URL = "https://example.com/hook"
KEYS = "me:my-secret-is-long-enough,you:your-secret-is-long-enough"


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway with two clients' keys, which lets webhooks go to this machine."""
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder, api_keys=KEYS, webhook_allow="127.0.0.1")
    database = Database(settings.mongodb_url, settings.mongodb_database)
    await database.synchronise_clock()
    headers = {"X-API-Key": "my-secret-is-long-enough"}
    async with (
        running(settings) as (server, url),
        httpx.AsyncClient(base_url=url, timeout=60, headers=headers, trust_env=False) as client,
    ):
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as made:
        yield made


@pytest.fixture
async def sender(site: Site) -> AsyncIterator[WebhookSender]:
    client = WebhookClient(CheckedTransport(Allowed.read("127.0.0.1"), Resolver()), site.database.clock)
    stores = WebhookStore(site.database), DeliveryStore(site.database)
    yield WebhookSender(*stores, client, site.database.clock)
    await client.close()


async def made(site: Site, url: str = URL, **more: Any) -> dict[str, Any]:
    created = await site.client.post(BASE, json={"url": url, **more})
    assert created.status_code == 201, created.text
    return created.json()


async def sent(sender: WebhookSender, receiver: Receiver, count: int) -> None:
    """Send until so many have come; what a gateway's clock calls due may take another clock a moment."""
    async with asyncio.timeout(60):
        while len(receiver.received) < count:
            await sender.send_due()
            await asyncio.sleep(0.01)


async def refused(asking: Any, status: int, kind: str) -> dict[str, Any]:
    found: httpx.Response = await asking
    assert (found.status_code, found.json()["type"]) == (status, f"/problems/{kind}"), found.text
    return found.json()


async def test_a_webhook_is_made_shown_listed_and_deleted_and_its_secret_shown_once(site: Site) -> None:
    created = await site.client.post(BASE, json={"url": URL, "events": ["session.failed", "session.completed"]})
    webhook = created.json()
    place = created.headers["location"]
    shown = await site.client.get(place)
    assert webhook == shown.json() | {"secret": webhook["secret"]}
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["events"], webhook["enabled"], webhook["sessionOnly"]) == (
        ["session.completed", "session.failed"],
        True,
        False,
    )
    listed = await site.client.get(BASE)
    assert shown.json() in listed.json()["items"]
    assert "whsec_" not in shown.text + listed.text
    assert (await site.client.delete(place)).status_code == 204
    await refused(site.client.get(place), 404, "unknown-webhook")
    await refused(site.client.delete(place), 404, "unknown-webhook")


async def test_a_list_is_gone_through_page_by_page(site: Site) -> None:
    ids = [(await made(site))["id"] for _ in range(3)]
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await site.client.get(BASE, params={"limit": 1, **after})).json()
        found += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        after = {"cursor": page["nextCursor"]}
    assert [one for one in found if one in ids] == ids[::-1]
    assert len(found) == len(set(found))


async def test_another_s_webhook_is_as_unknown_as_none(site: Site) -> None:
    webhook = await made(site)
    place, stranger = f"{BASE}/{webhook['id']}", {"X-API-Key": "your-secret-is-long-enough"}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/msg_{'0' * 32}", None),
        ("POST", f"/deliveries/msg_{'0' * 32}/replay", None),
    ]
    for method, rest, body in asked:
        await refused(
            site.client.request(method, f"{place}{rest}", json=body, headers=stranger), 404, "unknown-webhook"
        )
    listed = (await site.client.get(BASE, headers=stranger)).json()["items"]
    assert webhook["id"] not in [item["id"] for item in listed]
    assert (await site.client.get(place)).status_code == 200


async def test_of_many_requests_of_one_key_one_webhook_is_made(site: Site) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(site.client.post(BASE, json={"url": URL}, headers=key) for _ in range(10)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.text for one in answers}) == 1
    await refused(site.client.post(BASE, json={"url": f"{URL}/2"}, headers=key), 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://a.internal/", "https://a@b.example/"],
)
async def test_an_address_that_may_not_be_one_is_refused_with_its_field(site: Site, url: str) -> None:
    problem = await refused(site.client.post(BASE, json={"url": url}), 422, "invalid-request")
    assert problem["errors"][0]["field"] == "url"
    wish = {"workflow": "small", "theme": "t", "webhookUrl": url}
    problem = await refused(site.client.post(f"{SESSIONS}/create", json=wish), 422, "invalid-request")
    assert problem["errors"][0]["field"] == "webhookUrl"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["all"]}, "events.0"),
        ({"u": 1}, "url"),
    ],
)
async def test_what_is_malformed_is_named(site: Site, body: dict[str, Any], field: str) -> None:
    problem = await refused(site.client.post(BASE, json=body), 422, "invalid-request")
    assert problem["errors"][0]["field"] == field


async def test_a_webhook_is_not_overwritten_by_who_has_not_seen_it(site: Site) -> None:
    place = f"{BASE}/{(await made(site))['id']}"
    seen = {"If-Match": (await site.client.get(place)).headers["etag"]}
    changed = await site.client.patch(place, json={"events": ["session.failed"]}, headers=seen)
    assert (changed.status_code, changed.json()["events"], changed.json()["revision"]) == (200, ["session.failed"], 1)
    await refused(site.client.patch(place, json={"events": None}, headers=seen), 412, "changed-meanwhile")
    again = await site.client.patch(place, json={"events": ["session.failed"]})
    assert (again.json()["revision"], again.headers["etag"]) == (1, changed.headers["etag"])
    moved = await site.client.patch(place, json={"url": f"{URL}/elsewhere", "events": None})
    assert (moved.json()["url"], moved.json()["events"]) == (f"{URL}/elsewhere", None)


async def test_a_disabled_webhook_takes_no_ping_until_it_is_enabled(site: Site) -> None:
    place = f"{BASE}/{(await made(site))['id']}"
    disabled = (await site.client.patch(place, json={"enabled": False})).json()
    assert (disabled["enabled"], disabled["disabledBecause"]) == (False, receivers.BY_ITS_OWNER)
    await refused(site.client.post(f"{place}/test"), 409, "webhook-disabled")
    enabled = (await site.client.patch(place, json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabledAt"], enabled["disabledBecause"]) == (True, None, None)
    assert (await site.client.post(f"{place}/test")).status_code == 202


async def test_a_ping_is_sent_shown_and_replayed(site: Site, sender: WebhookSender, receiver: Receiver) -> None:
    webhook = await made(site, receiver.url())
    asked = await site.client.post(f"{BASE}/{webhook['id']}/test")
    name, place = asked.json()["id"], asked.headers["location"]
    assert (asked.status_code, asked.json()["status"], asked.json()["type"]) == (202, "PENDING", "ping")
    receiver.behaves = answer(200, "thank you whsec_0123456789")
    await sent(sender, receiver, 1)
    shown = (await site.client.get(place)).json()
    (attempt,) = shown["attempts"]
    assert (shown["status"], shown["payload"]["data"], shown["nextAttemptAt"]) == (
        "DELIVERED",
        {"webhookId": webhook["id"]},
        None,
    )
    assert (attempt["status"], attempt["error"], attempt["response"]) == (200, None, "thank you ***")
    Verifier(webhook["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
    replayed = await site.client.post(f"{place}/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (202, "PENDING")
    await sent(sender, receiver, 2)
    assert receiver.ids == [name, name]
    listed = (await site.client.get(f"{BASE}/{webhook['id']}/deliveries", params={"status": "DELIVERED"})).json()
    assert [(item["id"], item["attemptCount"]) for item in listed["items"]] == [(name, 2)]
    empty = await site.client.get(f"{BASE}/{webhook['id']}/deliveries", params={"status": "FAILED"})
    assert empty.json() == {"items": [], "nextCursor": None}
    await refused(site.client.get(f"{BASE}/{webhook['id']}/deliveries/msg_{'0' * 32}"), 404, "unknown-delivery")


async def test_a_rotated_secret_signs_beside_the_one_before(
    site: Site, sender: WebhookSender, receiver: Receiver
) -> None:
    webhook = await made(site, receiver.url())
    rotated = (await site.client.post(f"{BASE}/{webhook['id']}/rotate-secret")).json()
    assert (rotated["revision"], rotated["secret"] != webhook["secret"]) == (1, True)
    await site.client.post(f"{BASE}/{webhook['id']}/test")
    await sent(sender, receiver, 1)
    for secret in (webhook["secret"], rotated["secret"]):
        Verifier(secret).verify(receiver.received[0].body, receiver.received[0].headers)


async def test_a_repeated_wish_for_a_new_secret_makes_one(site: Site) -> None:
    webhook = await made(site)
    place, key = f"{BASE}/{webhook['id']}/rotate-secret", {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(site.client.post(place, headers=key) for _ in range(3)))
    first, *repeats = [answer.json() for answer in answers]
    assert [first] * 2 == repeats
    assert (first["revision"], first["secret"] != webhook["secret"]) == (1, True)
    later = (await site.client.post(place)).json()
    assert (await site.client.post(place, headers=key)).json() == later, "it is answered with how it stands"


async def test_the_address_of_a_session_is_a_webhook_with_a_log_of_its_own(
    site: Site, sender: WebhookSender, receiver: Receiver
) -> None:
    wish = {"workflow": "small", "theme": "t", "start": True, "webhookUrl": receiver.url()}
    first, second = [(await site.client.post(f"{SESSIONS}/create", json=wish)).json() for _ in range(2)]
    assert first["webhookId"] == second["webhookId"] == endpoint.of_session("me", receiver.url())
    assert (await site.get(first["sessionId"]))["webhookId"] == first["webhookId"]
    place = f"{BASE}/{first['webhookId']}"
    assert (await site.client.get(place)).json()["sessionOnly"]
    await refused(site.client.patch(place, json={"url": URL}), 409, "webhook-of-sessions")
    secret = (await site.client.post(f"{place}/rotate-secret")).json()["secret"]
    feed = WebhookFeed(SessionStore(site.database), sender.webhooks, sender.deliveries, site.database.clock)
    async with asyncio.timeout(60):
        while len(receiver.received) < 2:
            await feed.feed()
            await sender.send_due()
            await asyncio.sleep(0.01)
    told = {Verifier(secret).verify(one.body, one.headers)["data"]["sessionId"] for one in receiver.received}
    assert told == {first["sessionId"], second["sessionId"]}
    plain = (await site.client.post(f"{SESSIONS}/create", json={"workflow": "small", "theme": "t"})).json()
    assert plain["webhookId"] is None


async def test_an_owner_has_no_more_than_so_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "MOST_WEBHOOKS", 0)
    key = {"Idempotency-Key": uuid4().hex}
    await refused(site.client.post(BASE, json={"url": URL}, headers=key), 409, "too-many-webhooks")
    monkeypatch.setattr(receivers, "MOST_WEBHOOKS", 100)
    assert (await site.client.post(BASE, json={"url": URL}, headers=key)).status_code == 201


async def test_the_sessions_of_an_owner_name_no_more_than_so_many_addresses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"workflow": "small", "theme": "t", "webhookUrl": "https://example.com/one-of-many"}
    key = {"Idempotency-Key": uuid4().hex}
    first = await site.client.post(f"{SESSIONS}/create", json=wish, headers=key)
    monkeypatch.setattr(receivers, "MOST_ADDRESSES", 1)
    other = wish | {"webhookUrl": "https://example.com/one-too-many"}
    await refused(site.client.post(f"{SESSIONS}/create", json=other), 409, "too-many-webhooks")
    again = await site.client.post(f"{SESSIONS}/create", json=wish, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await site.client.post(f"{SESSIONS}/create", json=wish)).status_code == 201
