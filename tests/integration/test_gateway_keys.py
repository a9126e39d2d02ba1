"""API keys for real: two gateways of one database, what one of them is told and what the other does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from ekiden.store.api_keys import ApiKey, ApiKeyStore
from ekiden.store.database import Database
from ekiden_gateway import counts, event_stream, feeds
from ekiden_gateway.app import ROUTES
from ekiden_gateway.callers import KEPT_SECONDS
from ekiden_gateway.keys import digest_of
from ekiden_gateway.settings import GatewaySettings
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import running, settings_for, until_ready, write_package

ROOT = "the-root-of-all-keys"
KEYS = "/api/keys"
ALL = ["read", "write", "admin"]
WISH = {"workflow": "small", "theme": "t"}


async def until_answered(ask: Callable[[], Awaitable[httpx.Response]], status: int) -> httpx.Response:
    """Ask until it is answered so; a gateway believes what another one changed for seconds longer."""
    async with asyncio.timeout(20):
        while (answer := await ask()).status_code != status:  # noqa: ASYNC110 - another gateway's, in life
            await asyncio.sleep(0.05)
    return answer


@dataclass
class Two:
    """Two gateways of one database, and every secret they gave away."""

    one: httpx.AsyncClient
    other: httpx.AsyncClient
    database: Database
    settings: GatewaySettings
    secrets: list[str] = field(default_factory=list[str])

    async def make(self, client: str, scopes: list[str] | None = None, **more: Any) -> dict[str, Any]:
        answer = await self.ask("POST", KEYS, json={"client": client, "scopes": scopes or ALL[:2], **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def ask(
        self, method: str, path: str, key: str = ROOT, *, at_other: bool = False, **more: Any
    ) -> httpx.Response:
        gateway = self.other if at_other else self.one
        headers = {"X-API-Key": key, **more.pop("headers", {})}
        answer = await gateway.request(method, path, headers=headers, **more)
        if answer.status_code == 201 and "secret" in answer.json():
            self.secrets.append(answer.json()["secret"])
        return answer

    async def until_refused(self, key: str, *, at_other: bool) -> None:
        await until_answered(lambda: self.ask("GET", f"{BASE}/", key, at_other=at_other), 401)


@pytest.fixture(scope="module")
async def two(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder, api_keys=f"root:{ROOT}")
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with (
        running(settings) as (_, its_url),
        running(settings) as (_, others_url),
        httpx.AsyncClient(base_url=its_url, timeout=60) as one,
        httpx.AsyncClient(base_url=others_url, timeout=60) as other,
    ):
        await until_ready(one)
        await until_ready(other)
        yield Two(one, other, database, settings)
    await database.close()


# ── made, used, revoked ──────────────────────────────────────────────────────────────────────────────────


async def test_a_key_is_shown_once_and_works_at_every_gateway(two: Two) -> None:
    answer = await two.ask("POST", KEYS, json={"client": "ada", "scopes": ["read", "write"]})
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{KEYS}/{made['id']}")
    assert answer.headers["cache-control"] == "no-store"
    created = await two.ask("POST", f"{BASE}/create", made["secret"], at_other=True, json=WISH)
    session_id = created.json()["sessionId"]
    assert (await two.ask("GET", f"{BASE}/{session_id}", made["secret"])).status_code == 200
    assert (await two.ask("GET", KEYS, made["secret"])).status_code == 403
    assert (await two.ask("GET", f"{BASE}/{session_id}")).status_code == 404
    shown = (await two.ask("GET", f"{KEYS}/{made['id']}")).json()
    assert (made.pop("lastUsedAt"), shown.pop("lastUsedAt") is not None) == (None, True)
    assert shown == {name: value for name, value in made.items() if name != "secret"}


async def test_a_revoked_key_is_dead_at_once_here_and_soon_elsewhere(two: Two) -> None:
    made = await two.make("short-lived")
    for at_other in (False, True):
        assert (await two.ask("GET", f"{BASE}/", made["secret"], at_other=at_other)).status_code == 200
    gone = await two.ask("DELETE", f"{KEYS}/{made['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await two.ask("GET", f"{BASE}/", made["secret"])).status_code == 401
    await two.until_refused(made["secret"], at_other=True)
    assert (await two.ask("DELETE", f"{KEYS}/{made['id']}")).status_code == 204
    assert (await two.ask("DELETE", f"{KEYS}/key_{'0' * 32}")).status_code == 404
    listed = (await two.ask("GET", KEYS, params={"client": "short-lived"})).json()["items"]
    assert listed == []
    revoked = (await two.ask("GET", KEYS, params={"client": "short-lived", "revoked": True})).json()["items"]
    assert [key["id"] for key in revoked] == [made["id"]]
    assert revoked[0]["revokedAt"]
    limited = await two.ask("PATCH", f"{KEYS}/{made['id']}", json={"ratePerMinute": 5})
    assert (limited.status_code, limited.json()["type"]) == (404, "/problems/unknown-key")


@pytest.mark.parametrize("at_other", [False, True], ids=["where it was revoked", "elsewhere"])
async def test_streams_end_soon_after_their_key(two: Two, monkeypatch: pytest.MonkeyPatch, *, at_other: bool) -> None:
    for module in (feeds, counts):
        monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(event_stream, "ASKED_SECONDS", 0.0)
    made, staying = await two.make(f"listener-{at_other}"), await two.make(f"another-{at_other}")
    gateway = two.other if at_other else two.one

    async def listen(key: str, path: str, heard: asyncio.Event) -> None:
        headers = {"X-API-Key": key, "Accept": "text/event-stream"}
        async with gateway.stream("GET", path, headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    heard.set()

    listening: list[tuple[asyncio.Task[None], asyncio.Event]] = []
    for key in (made["secret"], staying["secret"]):
        session_id = (await two.ask("POST", f"{BASE}/create", key, json=WISH)).json()["sessionId"]
        for path in (f"{BASE}/{session_id}/events", f"{BASE}/counts"):
            heard = asyncio.Event()
            listening.append((asyncio.create_task(listen(key, path, heard)), heard))
    async with asyncio.timeout(20):
        await asyncio.gather(*(heard.wait() for _, heard in listening))
        assert (await two.ask("DELETE", f"{KEYS}/{made['id']}")).status_code == 204
        await asyncio.gather(*(task for task, _ in listening[:2]))
    assert not any(task.done() for task, _ in listening[2:])
    for task, _ in listening[2:]:
        task.cancel()


async def test_two_administrators_who_end_each_other_leave_one(database: Database) -> None:
    store, digests = ApiKeyStore(database), iter(range(1000))
    for client in ("ann", "bob"):
        assert await store.create(_administrator(client), b"%d" % next(digests), 1)
    for _ in range(10):
        pair = [key for client in ("ann", "bob") for key in await store.active_of(client)]
        ended = await asyncio.gather(*(store.revoke_unless_last(key.id, ALL) for key in pair))
        assert sorted(ended) == [False, True]
        (gone,) = [key for key, has_ended in zip(pair, ended, strict=True) if has_ended]
        assert await store.create(_administrator(gone.client), b"%d" % next(digests), 1)


def _administrator(client: str) -> ApiKey:
    return ApiKey(f"key_{uuid4().hex}", client, frozenset(ALL), datetime.now(UTC), "test")


async def test_everybody_is_told_who_he_is_and_what_his_key_may_do(two: Two) -> None:
    made = await two.make("me", ["read"], ratePerMinute=7)
    assert (await two.ask("GET", f"{KEYS}/self", made["secret"])).json() == {
        "client": "me",
        "keyId": made["id"],
        "scopes": ["read"],
        "ratePerMinute": 7,
        "concurrentSessions": None,
        "open": False,
    }
    root = (await two.ask("GET", f"{KEYS}/self")).json()
    assert (root["client"], root["keyId"], root["scopes"]) == ("root", None, ALL)
    assert (await two.ask("GET", f"{KEYS}/self", "a-secret-of-nobody")).status_code == 401


def test_a_gateway_believes_a_key_for_seconds_only() -> None:
    assert KEPT_SECONDS <= 5


async def test_a_client_changes_its_secret_without_a_failing_request(two: Two) -> None:
    first = await two.make("rotating", concurrentSessions=7)
    in_use, answers, stop = [first["secret"]], list[int](), asyncio.Event()

    async def work(*, at_other: bool) -> None:
        while not stop.is_set():
            secret = in_use[-1]
            answers.append((await two.ask("GET", f"{BASE}/", secret, at_other=at_other)).status_code)
            answers.append((await two.ask("POST", f"{BASE}/create", secret, at_other=at_other, json=WISH)).status_code)

    async def rounds(count: int) -> None:
        seen = len(answers)
        async with asyncio.timeout(60):
            while len(answers) < seen + count:  # noqa: ASYNC110 - four tasks append to it
                await asyncio.sleep(0.01)

    working = [asyncio.create_task(work(at_other=n % 2 == 1)) for n in range(4)]
    await rounds(20)
    second = await two.make("rotating")
    assert second["concurrentSessions"] == 7
    in_use.append(second["secret"])
    await rounds(20)  # each of the four has begun anew with the new one
    assert (await two.ask("DELETE", f"{KEYS}/{first['id']}")).status_code == 204
    await two.until_refused(first["secret"], at_other=True)
    await rounds(20)
    stop.set()
    await asyncio.gather(*working)
    assert set(answers) == {200, 201}


async def test_of_many_who_make_keys_at_once_two_do(two: Two) -> None:
    body = {"client": "crowd", "scopes": ["read"]}
    answers = await asyncio.gather(*(two.ask("POST", KEYS, at_other=n % 2 == 1, json=body) for n in range(20)))
    made = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert (len(made), len(refused)) == (2, 18)
    assert {problem["type"] for problem in refused} == {"/problems/two-keys"}
    late = (await two.ask("POST", KEYS, json=body)).json()
    ways = {(way["method"], way["url"]) for way in late["whatWorks"]}
    assert ways == {("DELETE", f"{KEYS}/{key['id']}") for key in made}
    assert (await two.ask(*ways.pop())).status_code == 204
    assert (await two.ask("POST", KEYS, json=body)).status_code == 201


async def test_keys_of_the_environment_are_counted(two: Two) -> None:
    body = {"client": "root", "scopes": ["read"]}
    assert [(await two.ask("POST", KEYS, json=body)).status_code for _ in range(2)] == [201, 409]


async def test_a_repeated_request_makes_no_second_key_and_says_which_is_the_first(two: Two) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"client": "repeated", "scopes": ["read"]}
    posts = (two.ask("POST", KEYS, at_other=n % 2 == 1, json=body, headers=headers) for n in range(6))
    answers = await asyncio.gather(*posts)
    [made] = [answer.json() for answer in answers if answer.status_code == 201]
    told = [answer.json() for answer in answers if answer.status_code != 201]
    assert {problem["type"] for problem in told} == {"/problems/key-made-before"}
    assert all(made["id"] in problem["detail"] for problem in told)
    other = await two.ask("POST", KEYS, json=body | {"scopes": ["write"]}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_keys_are_listed_in_pages_newest_first(two: Two) -> None:
    for name in ("page-a", "page-b", "page-c"):
        await two.make(name)
    names, cursor = list[str](), None
    while len(names) < 3:  # among keys that the other gateway has made, by its own clock
        shown = (await two.ask("GET", KEYS, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        names += [key["client"] for key in shown["items"] if key["client"].startswith("page-")]
        cursor = shown["nextCursor"]
        assert cursor or len(names) == 3
    assert names == ["page-c", "page-b", "page-a"]
    wrong = await two.ask("GET", KEYS, params={"cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "cursor")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"client": "a b", "scopes": ["read"]}, "client"),
        ({"client": "x", "scopes": []}, "scopes"),
        ({"client": "x", "scopes": ["fly"]}, "scopes.0"),
        ({"client": "x"}, "scopes"),
        ({"client": "x", "scopes": ["read"], "ratePerMinute": 0}, "ratePerMinute"),
        ({"client": "x", "scopes": ["read"], "secret": "mine"}, "secret"),
    ],
    ids=["client", "no scope", "unknown scope", "scopes left out", "rate", "own secret"],
)
async def test_a_wrong_wish_for_a_key_is_named(two: Two, body: dict[str, Any], where: str) -> None:
    answer = await two.ask("POST", KEYS, json=body)
    assert answer.status_code == 422, answer.text
    assert where in [mistake["field"] for mistake in answer.json()["errors"]]


async def test_a_limit_is_changed_by_who_has_seen_it(two: Two) -> None:
    made = await two.make("limited", ratePerMinute=5)
    address = f"{KEYS}/{made['id']}"
    tag = (await two.ask("GET", address)).headers["etag"]
    changed = await two.ask("PATCH", address, json={"concurrentSessions": 3}, headers={"If-Match": tag})
    assert (changed.json()["ratePerMinute"], changed.json()["concurrentSessions"]) == (5, 3)
    late = await two.ask("PATCH", address, json={"ratePerMinute": None}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["type"]) == (412, "/problems/changed-meanwhile")
    assert (await two.ask("PATCH", address, json={"ratePerMinute": None})).json()["ratePerMinute"] is None


# ── open and closed ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_key_closes_an_open_gateway_for_good(infra: Infra) -> None:
    settings = settings_for(infra)
    async with (
        running(settings) as (_, its_url),
        running(settings) as (_, others_url),
        httpx.AsyncClient(base_url=its_url, timeout=60) as one,
        httpx.AsyncClient(base_url=others_url, timeout=60) as other,
    ):
        await until_ready(one)
        await until_ready(other)
        session_id = (await other.post(f"{BASE}/create", json={"theme": "t"})).json()["sessionId"]
        anybody = (await other.get(f"{KEYS}/self")).json()
        assert (anybody["client"], anybody["keyId"], anybody["scopes"], anybody["open"]) == ("local", None, ALL, True)
        first = await one.post(KEYS, json={"client": "local", "scopes": ["read", "write"]})
        assert (first.status_code, first.json()["type"]) == (409, "/problems/last-admin-key")
        assert (await one.get(f"{BASE}/")).status_code == 200
        made = (await one.post(KEYS, json={"client": "local", "scopes": ALL})).json()
        key = {"X-API-Key": made["secret"]}
        assert (await one.get(f"{BASE}/")).status_code == 401
        await until_answered(lambda: other.get(f"{BASE}/"), 401)
        for gateway in (one, other):
            assert (await gateway.get(f"{BASE}/{session_id}", headers=key)).status_code == 200
            assert "securitySchemes" in (await gateway.get("/openapi.json")).json()["components"]
        last = await one.delete(f"{KEYS}/{made['id']}", headers=key)
        assert (last.status_code, last.json()["type"]) == (409, "/problems/last-admin-key")
        following = (await one.post(KEYS, json={"client": "boss", "scopes": ALL}, headers=key)).json()
        assert (await one.delete(f"{KEYS}/{made['id']}", headers=key)).status_code == 204
        assert (await one.get(KEYS, headers=key)).status_code == 401
        assert (await one.get(KEYS, headers={"X-API-Key": following["secret"]})).status_code == 200


# ── tenants ──────────────────────────────────────────────────────────────────────────────────────────────


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "{sessionId}" in path:
                yield method.upper(), path, operation


def bodies(operation: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    """All examples of its body; none where it has no body, and `{}` where nobody has given one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return [None]
    schema = content["schema"]
    options = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    named = [document["components"]["schemas"][o["$ref"].rpartition("/")[2]] for o in options if "$ref" in o]
    examples = [example["value"] for example in content.get("examples", {}).values()]
    return examples or [example for made in named for example in made.get("examples", [])] or [{}]


async def test_another_tenant_s_session_is_unknown_on_every_route_there_is(two: Two) -> None:
    """Made from the document, so that no new route can be forgotten; what it lacks is looked for in the routes."""
    ada, bob = [await two.make(name, ALL) for name in ("tenant-a", "tenant-b")]
    created = await two.ask("POST", f"{BASE}/create", ada["secret"], json=WISH | {"start": True})
    session_id = created.json()["sessionId"]
    before = (await two.ask("GET", f"{BASE}/{session_id}", ada["secret"])).headers["etag"]
    document = (await two.one.get("/openapi.json")).json()
    found = list(operations(document))
    of_the_api = [route for route in ROUTES if "{sessionId}" in route.path and route.path.startswith("/api/")]
    hidden = {(method, route.path) for route in of_the_api for method in route.methods or ()}
    assert hidden == {(method, path) for method, path, _ in found}
    for method, path, operation in found:
        address = path.format_map(
            {"sessionId": session_id, "taskId": f"{session_id}.1T.g1.0", "conceptNumber": 1} | _others(operation)
        )
        for body in bodies(operation, document):
            answer = await two.ask(method, address, bob["secret"], json=body)
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-session"), (method, path)
    assert (await two.ask("GET", f"{BASE}/", bob["secret"])).json()["items"] == []
    after = (await two.ask("GET", f"{BASE}/{session_id}", ada["secret"])).headers["etag"]
    assert after == before


def _others(operation: dict[str, Any]) -> dict[str, Any]:
    """Path parameters that other routes may have some day: by their example."""
    places = [one for one in operation.get("parameters", []) if one["in"] == "path"]
    known = {"sessionId", "taskId", "conceptNumber"}
    return {one["name"]: one["schema"].get("examples", ["x"])[0] for one in places if one["name"] not in known}


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_secret_is_in_the_database_the_metrics_a_problem_or_the_log(two: Two) -> None:
    with structlog.testing.capture_logs() as lines:
        made = await two.make("discreet", ALL)
        secret = made["secret"]
        texts = [
            (await two.ask("GET", f"/nowhere/{secret}", secret)).text,
            (await two.ask("GET", f"{BASE}/{secret}", secret)).text,
            (await two.ask("POST", KEYS, secret, json={"client": secret, "scopes": [secret]})).text,
            (await two.ask("POST", KEYS, secret, json={"client": "discreet-b", "scopes": [secret]})).text,
            (await two.ask("GET", KEYS, secret)).text,
            (await two.ask("GET", f"{KEYS}/{made['id']}", secret)).text,
            (await two.one.get("/metrics")).text,
        ]
        assert (await two.ask("DELETE", f"{KEYS}/{made['id']}", secret)).status_code == 204
    told = {line["event"] for line in lines}
    assert {"api_key_created", "api_key_revoked"} <= told
    texts.append(json.dumps(lines, default=str))
    assert len(two.secrets) > 5
    for known in (*two.secrets, ROOT):
        assert not [text for text in texts if known in text]
    with MongoClient[RawBSONDocument](two.settings.mongodb_url, document_class=RawBSONDocument) as client:
        stored = client[two.settings.mongodb_database]
        documents = [bytes(row.raw) for name in stored.list_collection_names() for row in stored[name].find()]
    assert any(digest_of(secret) in document for document in documents)
    assert not [1 for known in (*two.secrets, ROOT) for document in documents if known.encode() in document]
