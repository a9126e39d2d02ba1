"""Quotas and admission for real: two gateways that count together, and what no quota ever refuses."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ekiden.domain.ids import SessionId
from ekiden.errors import Unreachable
from ekiden.store.database import Database
from ekiden.store.session_places import STARTING_SECONDS
from ekiden.store.sessions import SessionStore
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package
from tests.integration.test_gateway_keys import until_answered
from tests.integration.test_page_sessions import fields_of
from tests.unit.page.markup import Markup

ROOT = "the-root-of-all-quotas"
WISH = {"workflow": "small", "theme": "t"}


@dataclass
class Client:
    """A client with a key, at both gateways."""

    secret: str
    gateways: list[httpx.AsyncClient]
    database: Database
    address: str

    async def ask(self, method: str, path: str, at: int = 0, **more: Any) -> httpx.Response:
        headers = {"X-API-Key": self.secret, **more.pop("headers", {})}
        return await self.gateways[at % 2].request(method, path, headers=headers, **more)

    async def create(self, at: int = 0, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return await self.ask("POST", f"{BASE}/create", at, json=WISH | more, headers=headers)

    async def say(self, session_id: str, word: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.ask("POST", f"{BASE}/{session_id}/{word}", json=body, **more)


@dataclass
class Yard:
    gateways: list[httpx.AsyncClient]
    database: Database

    async def client(self, **limits: int) -> Client:
        body = {"client": f"c-{uuid4().hex[:12]}", "scopes": ["read", "write"], **limits}
        made = await self.gateways[0].post("/api/keys", json=body, headers={"X-API-Key": ROOT})
        assert made.status_code == 201, made.text
        return Client(made.json()["secret"], self.gateways, self.database, made.headers["location"])


@pytest.fixture(scope="module")
async def yard(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Yard]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder, api_keys=f"root:{ROOT}")
    database = Database(settings.mongodb_url, settings.mongodb_database)
    limits = httpx.Limits(keepalive_expiry=1)
    async with (
        running(settings) as (_, its_url),
        running(settings) as (_, others_url),
        httpx.AsyncClient(base_url=its_url, timeout=60, limits=limits) as one,
        httpx.AsyncClient(base_url=others_url, timeout=60, limits=limits) as other,
    ):
        await until_ready(one)
        await until_ready(other)
        yield Yard([one, other], database)
    await database.close()


async def refused(yard: Yard, reason: str) -> float:
    """How many requests a process refused; both gateways are in this one."""
    page = (await yard.gateways[0].get("/metrics")).text
    [line] = [
        line for line in page.splitlines() if line.startswith(f'ekiden_requests_refused_total{{reason="{reason}"')
    ]
    return float(line.rpartition(" ")[2])


def kind(answer: httpx.Response) -> str:
    return answer.json()["type"].removeprefix("/problems/")


# ── requests a minute ────────────────────────────────────────────────────────────────────────────────────


async def test_of_fifty_requests_at_two_gateways_exactly_the_quota_passes(yard: Yard) -> None:
    client = await yard.client(ratePerMinute=1)  # the next token is a minute away, however slow the machine is
    many = await yard.client(ratePerMinute=1, concurrentSessions=1)
    before = await refused(yard, "rate")
    answers = await asyncio.gather(*(client.create(n) for n in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 429: 49}
    assert await refused(yard, "rate") == before + 49
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == '"requests";q=1;w=60'
        assert answer.headers["ratelimit"].startswith('"requests";r=0;t=')
        assert ("retry-after" in answer.headers) == (answer.status_code == 429)
    problem = next(answer for answer in answers if answer.status_code == 429)
    assert 0 < int(problem.headers["retry-after"]) <= 60
    assert (kind(problem), problem.json()["violatedPolicies"]) == ("too-many-requests", ["requests"])
    assert len((await client.ask("GET", f"{BASE}/")).json()["items"]) == 1
    assert (await many.create()).status_code == 201, "a client uses up its own quota only"


async def test_a_minutes_worth_may_come_at_once(yard: Yard) -> None:
    client = await yard.client(ratePerMinute=4)
    left = [(await client.create(n)).headers["ratelimit"] for n in range(2)]
    assert [field.split(";")[1] for field in left] == ["r=3", "r=2"]


async def test_reading_never_counts(yard: Yard) -> None:
    client = await yard.client(ratePerMinute=1)
    session_id = (await client.create()).json()["sessionId"]
    assert (await client.create()).status_code == 429
    for path in ("", "/async-status", "/events", "/recover"):
        answer = await client.ask("GET", f"{BASE}/{session_id}{path}")
        assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


async def test_a_repeat_of_what_was_carried_out_is_never_refused(yard: Yard) -> None:
    client = await yard.client(ratePerMinute=2)
    create, cancel = ({"Idempotency-Key": uuid4().hex} for _ in range(2))
    created = await client.create(headers=create)
    session_id = created.json()["sessionId"]
    assert (await client.say(session_id, "cancel", headers=cancel)).status_code == 202
    assert (await client.create()).status_code == 429
    for n in range(5):
        again = await client.create(n, headers=create)
        assert (again.status_code, again.json()) == (201, created.json())
        word = await client.say(session_id, "cancel", headers=cancel)
        assert (word.status_code, word.json()["changed"]) == (202, False)
    assert (await client.say(session_id, "cancel", headers=create)).status_code == 429, (
        "it made it, it did not say this"
    )
    assert (await client.create(headers=cancel)).status_code == 429
    assert (await client.create(headers={"Idempotency-Key": uuid4().hex})).status_code == 429


async def test_every_route_that_takes_a_key_knows_its_own_repeats_and_lets_no_others_pass(yard: Yard) -> None:
    client = await yard.client()
    one, other = ({"Idempotency-Key": uuid4().hex} for _ in range(2))
    body = {"name": "n", "cron": "0 9 1 1 *", "timeZone": "UTC", "session": WISH}
    schedule = await client.ask("POST", "/api/schedules", json=body, headers=one)
    place = schedule.headers["location"]
    webhook = await client.ask("POST", "/api/webhooks", json={"url": "https://hooks.example.com/x"}, headers=one)
    assert (schedule.status_code, webhook.status_code) == (201, 201)
    fired = await client.ask("POST", f"{place}/fire", headers=one)
    assert (await client.create(headers=one)).status_code == 201
    limit = {"ratePerMinute": 1}  # the next token is a minute away, however slow the machine is
    assert (await yard.gateways[0].patch(client.address, json=limit, headers={"X-API-Key": ROOT})).status_code == 200
    assert (await client.create()).status_code == 201
    assert (await client.create()).status_code == 429
    for _ in range(2):
        again = await client.ask("POST", "/api/schedules", json=body, headers=one)
        assert (again.status_code, again.headers["location"]) == (201, place)
        assert (await client.ask("POST", f"{place}/fire", headers=one)).text == fired.text
        again = await client.ask("POST", "/api/webhooks", json={"url": "https://hooks.example.com/x"}, headers=one)
        assert (again.status_code, again.headers["location"]) == (201, webhook.headers["location"])
    for path in (f"{place}/pause", f"{webhook.headers['location']}/test"):
        assert (await client.ask("POST", path, headers=one)).status_code == 429, "it takes no key"
    assert (await client.ask("PATCH", place, json={"name": "m"}, headers=one)).status_code == 429
    assert (await client.ask("DELETE", place, headers=one)).status_code == 429
    for path in ("/api/schedules", "/api/webhooks", f"{place}/fire", f"{BASE}/create"):
        assert (await client.ask("POST", path, json={}, headers=other)).status_code == 429, "it did nothing here"


# ── sessions at a time ───────────────────────────────────────────────────────────────────────────────────


async def test_of_fifty_starts_at_two_gateways_exactly_the_quota_passes(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=7)
    before = await refused(yard, "sessions")
    answers = await asyncio.gather(*(client.create(n, start=True) for n in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 7, 429: 43}
    assert {kind(answer) for answer in answers if answer.status_code == 429} == {"too-many-sessions"}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 429)
    assert await refused(yard, "sessions") == before + 43
    listed = (await client.ask("GET", f"{BASE}/", params={"limit": 100})).json()["items"]
    assert [session["status"] for session in listed] == ["THINKING"] * 7, "what was refused was not stored"


async def test_who_waits_keeps_his_place_and_who_ends_gives_it_back(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=1)
    waits = (await client.create(start=True, pauseBefore=["1.THINK"])).json()["sessionId"]
    pending = (await client.create()).json()["sessionId"]
    for n in range(2):
        answer = await client.say(pending, "process-async", at=n)
        assert (answer.status_code, kind(answer)) == (429, "too-many-sessions")
    assert (await client.say(waits, "continue-async")).json()["status"] == "THINKING"
    assert (await client.say(waits, "process-async")).json()["changed"] is False
    assert (await client.say(waits, "pause")).status_code == 202
    assert (await client.say(waits, "resume")).status_code == 202
    again = await client.say(waits, "recover", {"action": "restart_phase", "phaseNumber": 1})
    assert again.status_code == 202
    linked = await client.say(waits, "recover", {"action": "restart_session"})
    assert linked.status_code == 429
    assert (await client.say(waits, "recover", {"action": "restart_session", "dryRun": True})).status_code == 200
    assert (await client.say(waits, "cancel")).status_code == 202
    assert (await client.say(pending, "process-async", at=1)).json()["status"] == "THINKING"


async def test_a_session_that_is_set_going_again_needs_a_place(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=1)
    site = Site(client.gateways[0], yard.database, "", None)  # type: ignore[arg-type] - for its workers' hands only
    first = (await client.create(start=True)).json()["sessionId"]
    await site.fail(f"{first}.1T.g1.0")
    failed = await client.say(first, "continue-async", {"taskId": f"{first}.1T.g1.0"})
    assert failed.json()["status"] == "FAILED"
    second = (await client.create(start=True)).json()["sessionId"]
    for word, body in (("process-async", None), ("recover", {"action": "retry"})):
        assert (await client.say(first, word, body)).status_code == 429
    assert (await client.say(second, "cancel")).status_code == 202
    key = {"Idempotency-Key": uuid4().hex}
    assert (await client.say(first, "recover", {"action": "retry"}, headers=key)).status_code == 202
    assert (await client.create(start=True)).status_code == 429
    await site.fail(f"{first}.1T.g2.0")
    assert (await client.say(first, "continue-async", {"taskId": f"{first}.1T.g2.0"})).json()["status"] == "FAILED"
    assert (await client.create(start=True)).status_code == 201
    repeated = await client.say(first, "recover", {"action": "retry"}, headers=key)
    assert (repeated.status_code, repeated.json()["changed"]) == (202, False)


async def test_a_repeated_start_gets_its_answer_and_takes_no_second_place(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=2)
    key = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(client.create(0, start=True, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert (await client.create(start=True)).status_code == 201
    for n in range(4):
        again = await client.create(n, start=True, headers=key)
        assert (again.status_code, again.text) == (201, answers[0].text)
    assert (await client.create(start=True)).status_code == 429


async def test_a_start_that_loses_to_its_twin_at_another_gateway_gives_its_place_back(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=40)
    key = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(client.create(n, start=True, headers=key) for n in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    [places] = await yard.database.quick("session_places").find({"_id": await _owner(yard, answers[0])}).to_list()
    left = {entry["session"] for entry in places["starting"]}
    assert left <= {answers[0].json()["sessionId"]}


async def test_a_schedule_that_is_fired_by_hand_needs_a_place_unless_it_takes_one_over_or_waits(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=1)
    key = {"Idempotency-Key": uuid4().hex}
    body = {"cron": "0 9 1 1 *", "timeZone": "UTC", "session": WISH}

    async def schedule(overlap: str) -> str:
        made = await client.ask("POST", "/api/schedules", json=body | {"name": overlap, "overlap": overlap})
        return made.headers["location"]

    first, other = await schedule("queue"), await schedule("skip")
    fired = await client.ask("POST", f"{first}/fire", headers=key)
    assert (fired.status_code, fired.json()["outcome"]) == (202, "fired")
    for n in range(2):
        refusal = await client.ask("POST", f"{other}/fire", n)
        assert (refusal.status_code, kind(refusal)) == (429, "too-many-sessions")
        assert (await client.ask("POST", f"{first}/fire", n, headers=key)).text == fired.text, "a repeat is answered"
    assert (await client.ask("GET", f"{other}/runs")).json()["items"] == [], "nothing was decided"
    assert (await client.ask("POST", f"{first}/fire")).json()["outcome"] == "queued"
    assert (await client.ask("PATCH", first, json={"overlap": "cancel"})).status_code == 200
    instead = await client.ask("POST", f"{first}/fire", 1)
    assert (instead.status_code, instead.json()["outcome"]) == (202, "fired")
    under_way = (await client.ask("GET", f"{BASE}/", params={"status": "THINKING"})).json()["items"]
    assert [session["sessionId"] for session in under_way] == [instead.json()["sessionId"]]


async def test_a_start_that_failed_finds_its_own_place_when_it_is_repeated(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await yard.client(concurrentSessions=1)
    key = {"Idempotency-Key": uuid4().hex}

    async def fail(*_: object) -> bool:
        raise Unreachable("away for a moment")

    with monkeypatch.context() as away:
        away.setattr(SessionStore, "begin", fail)
        for n in range(2):
            assert (await client.create(n, start=True, headers=key)).status_code == 503
    assert (await client.create(start=True)).status_code == 429, "the place is kept for the repeat"
    again = await client.create(1, start=True, headers=key)
    assert again.status_code == 201
    [places] = await yard.database.quick("session_places").find({"_id": await _owner(yard, again)}).to_list()
    assert [entry["session"] for entry in places["starting"]] == [again.json()["sessionId"]], "one for all tries"
    assert (await client.create(start=True)).status_code == 429


async def test_who_died_between_place_and_start_holds_it_for_a_while_only(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=1)
    owner = await _owner(yard, await client.create())
    await yard.database.synchronise_clock()
    now = yard.database.clock.now()
    entry = {"session": "ses_" + "9" * 32, "version": 0, "at": now}
    places = yard.database.quick("session_places")
    await places.insert_one({"_id": owner, "starting": [entry], "version": 1, "at": now})
    assert (await client.create(start=True)).status_code == 429
    past = now.fromtimestamp(now.timestamp() - STARTING_SECONDS - 1, now.tzinfo)
    await places.update_one({"_id": owner}, {"$set": {"starting.0.at": past}})
    assert (await client.create(start=True)).status_code == 201


async def test_a_changed_limit_holds_at_the_other_gateway_soon(yard: Yard) -> None:
    client = await yard.client(concurrentSessions=1)
    assert (await client.create(1, start=True)).status_code == 201
    assert (await client.create(1, start=True)).status_code == 429
    root = {"X-API-Key": ROOT}
    changed = await yard.gateways[0].patch(client.address, json={"concurrentSessions": 2}, headers=root)
    assert changed.status_code == 200
    await until_answered(lambda: client.create(1, start=True), 201)
    assert (await client.create(1, start=True)).status_code == 429


async def _owner(yard: Yard, created: httpx.Response) -> str:
    session_id = SessionId(created.json()["sessionId"])
    found = await yard.database.quick("sessions").find_one({"_id": session_id}, {"owner": 1})
    assert found is not None
    return found["owner"]


# ── depth of the queue ───────────────────────────────────────────────────────────────────────────────────


async def test_no_session_begins_while_too_much_is_queued_and_what_runs_goes_on(
    infra: Infra, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("deep")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder, admission_tasks=2)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_ready(client)
        site = Site(client, database, url, server)
        key = {"Idempotency-Key": uuid4().hex}
        first = (await client.post(f"{BASE}/create", json=WISH | {"start": True}, headers=key)).json()["sessionId"]
        pending = await site.create()
        full = await until_answered(lambda: client.post(f"{BASE}/create", json=WISH | {"start": True}), 503)
        assert (full.status_code, kind(full)) == (503, "at-capacity")
        assert int(full.headers["retry-after"]) > 0
        refusal = await client.post(f"{BASE}/{pending}/process-async")
        assert (refusal.status_code, kind(refusal)) == (503, "at-capacity")
        repeated = await client.post(f"{BASE}/create", json=WISH | {"start": True}, headers=key)
        assert (repeated.status_code, repeated.json()["sessionId"]) == (201, first)
        assert await site.create(), "a session that does not begin yet may be created"
        assert (await site.step(first))["status"] == "EXECUTING"
        await site.finish(first)
        page = (await client.get("/metrics")).text
        [line] = [line for line in page.splitlines() if 'refused_total{reason="queue_depth"' in line]
        assert float(line.rpartition(" ")[2]) >= 2
        for session in (await client.get(f"{BASE}/", params={"status": "THINKING"})).json()["items"]:
            assert (await client.post(f"{BASE}/{session['sessionId']}/cancel")).status_code == 202
        await until_answered(lambda: client.post(f"{BASE}/{pending}/process-async"), 202)
    await database.close()


async def test_forms_of_the_page_count_like_requests_of_the_api(yard: Yard) -> None:
    client = await yard.client(ratePerMinute=1)
    async with httpx.AsyncClient(base_url=yard.gateways[0].base_url, timeout=60) as browser:
        door = fields_of(Markup.of((await browser.get("/sign-in")).text), "/sign-in")
        await browser.post("/sign-in", data=door | {"secret": [client.secret]})
        shown = [Markup.of((await browser.get("/start?workflow=small")).text) for _ in range(2)]
        forms = [fields_of(page, "/start") | {"input-theme": ["tea"]} for page in shown]
        answers = [await browser.post("/start", data=form) for form in (forms[0], forms[1], forms[0])]
    assert [answer.status_code for answer in answers] == [303, 429, 429]
    assert answers[1].headers["content-type"].startswith("text/html")
    assert int(answers[1].headers["retry-after"]) > 0
