"""Schedules through a gateway that runs: create, change, pause, fire, preview, and what became of each tick."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from ekiden.domain.ids import ScheduleId
from ekiden.store.database import Database
from ekiden.store.schedules import ScheduleStore
from ekiden_gateway import schedules
from ekiden_gateway.schedules import follow
from ekiden_gateway.views.session import BASE as SESSIONS
from ekiden_orchestrator.scheduler import Scheduler
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Server, running, settings_for, until_ready, write_package

SCHEDULES = "/api/schedules"
WISH = {"workflow": "small", "theme": "tea", "metadata": {"campaign": "autumn"}}
MINE, YOURS = "the secret of one owner", "the secret of another"


@dataclass
class Site:
    client: httpx.AsyncClient
    database: Database
    server: Server

    async def create(self, *, expect: int = 201, key: str | None = None, **fields: Any) -> Any:
        body = {"name": "tea", "cron": "0 9 1 1 *", "timeZone": "Asia/Tokyo", "session": WISH} | fields
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.client.post(SCHEDULES, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def get(self, schedule: Any, rest: str = "") -> Any:
        answer = await self.client.get(f"{SCHEDULES}/{schedule['scheduleId']}{rest}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, schedule: Any, rest: str, body: Any = None, *, expect: int, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.client.post(f"{SCHEDULES}/{schedule['scheduleId']}/{rest}", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def patch(self, schedule: Any, body: Any, *, expect: int = 200, seen: str | None = None) -> Any:
        headers = {"If-Match": seen} if seen else {}
        answer = await self.client.patch(f"{SCHEDULES}/{schedule['scheduleId']}", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def fall_due(self, schedule: Any, ago: timedelta = timedelta(seconds=1)) -> datetime:
        """Let its next tick be one that has come."""
        tick = (self.database.clock.now() - ago).replace(microsecond=0)
        name = {"_id": schedule["scheduleId"]}
        await self.database.journaled("schedules").update_one(name, {"$set": {"nextAt": tick}, "$inc": {"version": 1}})
        return tick

    async def look(self) -> None:
        """An orchestrator's part, with the scheduler on."""
        parts = self.server.parts
        await Scheduler(parts.schedules, parts.firing, parts.database.clock, by_the_clock=True).pass_once()


@pytest.fixture(scope="module")
async def open_site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder, api_keys=f"me:{MINE},you:{YOURS}", session_budget_usd=0.5)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    await database.synchronise_clock()
    headers = {"X-API-Key": MINE}
    async with (
        running(settings) as (server, url),
        httpx.AsyncClient(base_url=url, timeout=30, headers=headers) as client,
    ):
        await until_ready(client)
        yield Site(client, database, server)
    await database.close()


@pytest.fixture
async def site(open_site: Site) -> Site:
    for left_over in ("schedules", "schedule_runs", "schedulers"):
        await open_site.database.journaled(left_over).delete_many({})
    return open_site


async def test_a_schedule_is_shown_with_its_next_tick_in_both_times_and_its_money(site: Site) -> None:
    made = await site.create(budgetUsd=15, cron=" 0  9 * * mon-fri ")
    assert (made["status"], made["overlap"], made["catchUpSeconds"]) == ("active", "skip", 3600)
    assert (made["cron"], made["explained"]) == ("0 9 * * mon-fri", "At 09:00 on Monday through Friday")
    assert made["session"] == WISH
    assert (made["budgetUsd"], made["sessionBudgetUsd"]) == (15.0, 0.5)
    assert made["month"] == {
        "beganAt": made["month"]["beganAt"],
        "sessions": 0,
        "spentUsd": 0.0,
        "committedUsd": 0.0,
        "budgetUsd": 15.0,
    }
    assert made["nextLocal"].endswith("T09:00:00+09:00")
    assert datetime.fromisoformat(made["nextAt"]) == datetime.fromisoformat(made["nextLocal"])
    assert await site.get(made) == made | {"scheduler": (await site.get(made))["scheduler"]}


async def test_every_answer_says_that_the_scheduler_is_off_until_one_is_at_work(site: Site) -> None:
    made = await site.create()
    assert made["scheduler"]["on"] is False
    assert "EKIDEN_SCHEDULER=on" in made["scheduler"]["message"]
    await site.look()
    listed = (await site.client.get(SCHEDULES)).json()
    assert listed["scheduler"]["on"] is True
    for rest in ("", "/preview", "/runs"):
        assert (await site.get(made, rest))["scheduler"]["on"] is True


@pytest.mark.parametrize(
    ("fields", "field", "hint"),
    [
        ({"cron": "61 9 * * *"}, "cron", "0 to 59"),
        ({"cron": "@daily"}, "cron", "0 0 * * *"),
        ({"timeZone": "Tokyo"}, "timeZone", "Asia/Tokyo"),
        ({"catchUpSeconds": 59}, "catchUpSeconds", "60"),
        ({"overlap": "allow"}, "overlap", "'skip', 'queue' or 'cancel'"),
        ({"budgetUsd": 0.4}, "budgetUsd", "none would ever begin"),
        ({"session": {"workflow": "small"}}, "session.theme", "is required"),
        ({"session": {"workflow": "none", "theme": "t"}}, "session.workflow", "there is no 'none'"),
        ({"session": WISH | {"pauseBefore": ["9.THINK"]}}, "session.pauseBefore.0", "must be one of"),
        ({"session": WISH | {"budgetUsd": -1}}, "session.budgetUsd", "greater than 0"),
        ({"every": "day"}, "every", "not permitted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_wrong_is_named_with_its_field_and_what_to_write(
    site: Site, fields: dict[str, Any], field: str, hint: str
) -> None:
    problem = await site.create(expect=422, **fields)
    assert [row["field"] for row in problem["errors"]] == [field]
    assert hint in problem["errors"][0]["message"]


async def test_a_request_repeated_under_its_key_makes_one_schedule(site: Site) -> None:
    made = await asyncio.gather(*(site.create(key="once") for _ in range(5)))
    assert len({one["scheduleId"] for one in made}) == 1
    assert (await site.create(key="once", name="coffee", expect=422))["type"] == "/problems/idempotency-key-reused"


async def test_an_owner_has_no_more_than_so_many_and_a_repeat_is_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await site.create(key="the last")
    monkeypatch.setattr(schedules, "MOST_SCHEDULES", 1)
    assert (await site.create(expect=409))["type"] == "/problems/too-many-schedules"
    assert (await site.create(key="the last"))["scheduleId"] == made["scheduleId"]


async def test_a_tick_begins_a_session_that_tells_which_schedule_began_it(site: Site) -> None:
    made = await site.create()
    tick = await site.fall_due(made)
    await site.look()
    shown = await site.get(made)
    (session_id,) = shown["running"]
    session = (await site.client.get(f"{SESSIONS}/{session_id}")).json()
    assert session["scheduleId"] == made["scheduleId"]
    assert datetime.fromisoformat(session["scheduledAt"]) == tick
    assert (session["status"], session["metadata"], session["cost"]["budgetUsd"]) == ("THINKING", WISH["metadata"], 0.5)
    assert shown["lastRun"]["sessionId"] == session_id
    assert shown["month"]["committedUsd"] == 0.5
    (run,) = (await site.get(made, "/runs"))["items"]
    assert (run["outcome"], run["sessionStatus"], run["byHand"]) == ("fired", "THINKING", False)


async def test_the_runs_are_pages_with_what_was_skipped_and_missed(site: Site) -> None:
    made = await site.create(cron="0 * * * *", timeZone="UTC", catchUpSeconds=7200)
    await site.fall_due(made, timedelta(hours=5))
    await site.look()
    seen, cursor = list[Any](), ""
    while cursor is not None:
        page = await site.get(made, f"/runs?limit=1{cursor and f'&cursor={cursor}'}")
        seen, cursor = [*seen, *page["items"]], page["nextCursor"]
    assert [(run["outcome"], run["reason"]) for run in seen] == [
        ("skipped", "overlap"),
        ("fired", None),
        ("missed", "catch_up"),
    ]
    assert seen[2]["ticks"] >= 3
    assert seen == (await site.get(made, "/runs"))["items"]


async def test_a_person_fires_once_under_a_key_also_what_is_paused(site: Site) -> None:
    made = await site.create()
    await site.post(made, "pause", {"reason": "holidays"}, expect=200)
    fired = await asyncio.gather(*(site.post(made, "fire", expect=202, key="now") for _ in range(5)))
    assert {one["outcome"] for one in fired} == {"fired"}
    assert len({one["sessionId"] for one in fired}) == 1
    assert (await site.get(made))["running"] == [fired[0]["sessionId"]]
    (run,) = (await site.get(made, "/runs"))["items"]
    assert run["byHand"]
    problem = await site.post(made, "fire", expect=409, key="another")
    assert "its overlap policy is skip" in problem["detail"]


async def test_an_order_waits_takes_a_place_or_finds_no_money_as_the_schedule_says(site: Site) -> None:
    made = await site.create(overlap="queue", budgetUsd=0.7)
    first = await site.post(made, "fire", expect=202)
    assert (await site.post(made, "fire", expect=202, key="wait"))["outcome"] == "queued"
    assert (await site.post(made, "fire", expect=202, key="wait"))["outcome"] == "queued"
    await site.post(made, "fire", expect=409)
    await site.patch(made, {"overlap": "cancel"})
    assert "0.7 USD for the month" in (await site.post(made, "fire", expect=409))["detail"]
    await site.patch(made, {"budgetUsd": None})
    second = await site.post(made, "fire", expect=202)
    assert (await site.get(made))["running"] == [second["sessionId"]]
    cancelled = await site.client.get(f"{SESSIONS}/{first['sessionId']}")
    assert cancelled.json()["status"] == "CANCELLED"


async def test_a_pause_and_its_end_are_shown_and_repeating_them_changes_nothing(site: Site) -> None:
    made = await site.create()
    paused = await site.post(made, "pause", {"reason": "holidays"}, expect=200)
    assert (paused["status"], paused["pauseReason"], paused["nextAt"]) == ("paused", "holidays", None)
    again = await site.post(made, "pause", expect=200)
    assert (again["pausedAt"], again["pauseReason"]) == (paused["pausedAt"], "holidays")
    resumed = await site.post(made, "resume", expect=200)
    assert (resumed["status"], resumed["pauseReason"], resumed["nextAt"]) == ("active", None, made["nextAt"])
    assert (await site.post(made, "resume", expect=200))["updatedAt"] == resumed["updatedAt"]


async def test_a_change_is_refused_to_who_has_not_seen_the_last_one_and_a_tick_is_no_change(site: Site) -> None:
    made = await site.create()
    seen = (await site.client.get(f"{SCHEDULES}/{made['scheduleId']}")).headers["ETag"]
    await site.fall_due(made)
    await site.look()
    changed = await site.patch(made, {"cron": "30 7 * * *", "timeZone": "UTC"}, seen=seen)
    assert changed["nextAt"][10:] == "T07:30:00Z"
    assert changed["session"] == WISH
    problem = await site.patch(made, {"name": "coffee"}, expect=412, seen=seen)
    assert problem["type"] == "/problems/changed-meanwhile"
    assert (await site.patch(made, {"cron": "30 7 * * *"}))["updatedAt"] == changed["updatedAt"]
    assert (await site.patch(made, {"cron": "7"}, expect=422))["errors"][0]["field"] == "cron"
    assert (await site.patch(made, {"session": WISH | {"theme": "coffee"}}))["session"]["theme"] == "coffee"


async def test_the_preview_names_ticks_over_a_change_of_the_clocks_and_what_they_may_cost(site: Site) -> None:
    made = await site.create(cron="30 2 * * *", timeZone="Europe/Berlin", budgetUsd=2)
    shown = await site.get(made, "/preview?count=100")
    assert [datetime.fromisoformat(tick["at"]) for tick in shown["ticks"]] == [
        datetime.fromisoformat(tick["local"]) for tick in shown["ticks"]
    ]
    assert {tick["local"][-6:] for tick in shown["ticks"]} <= {"+01:00", "+02:00"}
    forecast = shown["forecast"]
    assert forecast["perRun"]["calls"] == {"gpt": 4, "perplexity": 5}
    assert forecast["perRun"]["atMostUsd"] == 0.29
    assert forecast["month"]["runs"] in {29, 30, 31}
    assert forecast["month"]["atMostUsd"] == 2.0
    assert forecast["averageUsd"] is None


async def test_another_owner_s_schedule_is_as_unknown_as_none(site: Site) -> None:
    made = await site.create()
    path = f"{SCHEDULES}/{made['scheduleId']}"
    yours = {"X-API-Key": YOURS}
    for method, rest in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/fire"), ("GET", "/runs")]:
        body = {"name": "mine now"} if method == "PATCH" else None
        answer = await site.client.request(method, path + rest, json=body, headers=yours)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-schedule")
    assert (await site.client.get(SCHEDULES, headers=yours)).json()["items"] == []


async def test_a_deleted_schedule_leaves_its_sessions(site: Site) -> None:
    made = await site.create()
    fired = await site.post(made, "fire", expect=202)
    path = f"{SCHEDULES}/{made['scheduleId']}"
    assert [(await site.client.delete(path)).status_code for _ in range(2)] == [204, 404]
    session = await site.client.get(f"{SESSIONS}/{fired['sessionId']}")
    assert session.json()["scheduleId"] == made["scheduleId"]


async def test_the_list_is_in_pages_the_newest_first(site: Site) -> None:
    names = [(await site.create(name=f"tea {n}"))["name"] for n in range(3)]
    first = (await site.client.get(SCHEDULES, params={"limit": 2})).json()
    rest = (await site.client.get(SCHEDULES, params={"cursor": first["nextCursor"]})).json()
    assert [item["name"] for item in [*first["items"], *rest["items"]]] == names[::-1]
    assert rest["nextCursor"] is None


async def test_schedules_follow_the_newest_version_of_their_workflow_that_takes_what_they_ask(site: Site) -> None:
    made = await site.create(session=WISH | {"budgetUsd": 0.25})
    stuck = await site.create()
    parts, store = site.server.parts, ScheduleStore(site.database)
    newest = made["workflow"]
    for one, more in ((made, {}), (stuck, {"theme": None})):
        found = await store.load(ScheduleId(one["scheduleId"]))
        assert found is not None
        old = replace(found, session=replace(found.session, workflow="small@0"), asked={**found.asked, **more})
        assert await store.save(found, old) is not None

    await follow(parts)

    assert (await site.get(made))["workflow"] == newest
    assert (await site.get(made))["sessionBudgetUsd"] == 0.25
    assert (await site.get(stuck))["workflow"] == "small@0"
