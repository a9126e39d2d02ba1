"""Schedules on the page, with no script: looked at before they are saved, changed, paused, fired and deleted."""

import re
from typing import Any

import httpx

from tests.integration.test_page_sessions import Reader, reader
from tests.unit.page.markup import Markup

__all__ = ["reader"]


async def filled(reader: Reader, action: str = "/schedules/new", **fields: Any) -> httpx.Response:
    page = await reader.open(f"{action}?workflow=small" if action == "/schedules/new" else action)
    return await reader.send(page, action, **({"name": "Every <day>", "input-theme": "tea"} | fields))


async def stored(reader: Reader) -> list[Any]:
    return (await reader.site.client.get("/api/schedules")).json()["items"]


async def test_a_schedule_is_looked_at_then_saved_changed_and_deleted(reader: Reader) -> None:
    seen = await filled(reader, cron="0 9 * * *", zone="Asia/Tokyo", budget="0.5", month="3")
    text = Markup.of(seen.text).all("aside", id="preview")[0].text
    assert (seen.status_code, len(re.findall(r"day \d\d-\d\d, 9:00", text))) == (200, 5)
    assert "every day, 9:00 Asia/Tokyo" in text
    assert "at most $3.00" in text or "30 sessions" in text
    assert await stored(reader) == []
    again = await reader.send(Markup.of(seen.text), "/schedules/new", do="save")
    path = again.headers["location"]
    assert (await reader.send(Markup.of(seen.text), "/schedules/new", do="save")).headers["location"] == path
    shown = (await stored(reader))[0]
    assert (shown["name"], shown["timeZone"], shown["budgetUsd"], shown["sessionBudgetUsd"]) == (
        "Every <day>", "Asia/Tokyo", 3.0, 0.5,
    )  # fmt: skip
    assert "The clock is off" in (await reader.open("/schedules")).all("main")[0].text
    edit = await reader.open(f"{path}/edit")
    assert (await reader.send(edit, f"{path}/edit", cron="30 7 * * *", do="save")).headers["location"] == path
    stale = await reader.send(edit, f"{path}/edit", cron="0 1 * * *", do="save")
    assert stale.status_code == 412
    assert (await stored(reader))[0]["cron"] == "30 7 * * *"
    assert (await reader.send(await reader.open(path), f"{path}/delete")).headers["location"] == "/schedules"
    assert await stored(reader) == []


async def test_an_edit_keeps_what_the_form_has_no_field_for(reader: Reader) -> None:
    wishes = {"autoAdvance": False, "gateTimeout": {"afterSeconds": 60, "then": "stop"}, "metadata": {"team": "tea"}}
    session = {"workflow": "small", "theme": "tea", "pauseBefore": ["2.INTEGRATE"], **wishes}
    asked = {"name": "Nightly", "cron": "0 3 * * *", "timeZone": "UTC", "session": session}
    made = (await reader.site.client.post("/api/schedules", json=asked)).json()["scheduleId"]
    path = f"/schedules/{made}"
    await reader.send(await reader.open(f"{path}/edit"), f"{path}/edit", cron="0 4 * * *", do="save")
    kept = (await reader.site.client.get(f"/api{path}")).json()
    assert kept["cron"] == "0 4 * * *"
    assert kept["session"] | session == kept["session"]
    await reader.send(await reader.open(path), f"{path}/delete")


async def test_a_mistake_is_said_beside_its_field(reader: Reader) -> None:
    for field, wrong in {
        "cron": "every day",
        "zone": "Tokyo",
        "month": "0.001",
        "catch_up": "soon",
        "budget": "x",
    }.items():
        answer = await filled(reader, **{field: wrong, "do": "save"})
        page = Markup.of(answer.text)
        assert (answer.status_code, bool(page.all("span", id=f"wrong-{field}"))) == (422, True), field
    assert await stored(reader) == []


async def test_a_schedule_is_paused_resumed_and_fired_by_hand(reader: Reader) -> None:
    path = (await filled(reader, do="save")).headers["location"]
    await reader.send(await reader.open(path), f"{path}/pause", reason="the <holidays>")
    assert "the <holidays>" in (await reader.open(path)).all("main")[0].text
    page = await reader.open(path)
    fired = [await reader.send(page, f"{path}/fire") for _ in range(2)]
    assert len({answer.headers["location"] for answer in fired}) == 1
    assert fired[0].headers["location"].startswith("/sessions/ses_")
    refused = await reader.send(await reader.open(path), f"{path}/fire")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "text/html; charset=utf-8")
    page = await reader.open(path)
    links = [e.attributes.get("href") for e in page.all("a")]
    assert fired[0].headers["location"] in links
    await reader.send(page, f"{path}/resume")
    assert (await stored(reader))[0]["status"] == "active"
    await reader.send(await reader.open(path), f"{path}/delete")
