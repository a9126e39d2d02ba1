"""A replay at a gateway: one of each version, on answers that were given, bought once, and tried again safely."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiden.store.database import Database
from ekiden.workflow.package import Package
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import UNKNOWN, Site, running, settings_for, until_ready, write_package

CALLS = 7
"""Of a session of the small workflow: four of GPT, three searches."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("workflows") / "small"
    write_package(made, small_package())
    return made


@pytest.fixture(scope="module")
async def site(infra: Infra, folder: Path) -> AsyncIterator[Site]:
    settings = settings_for(infra, workflows_dir=folder.parent)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


@pytest.fixture
async def original(site: Site, folder: Path) -> str:
    """A session that has completed, whose workflow's last prompt was changed since."""
    _put(folder, small_package())
    session_id = await site.create(start=True)
    await site.finish(session_id)
    _put(folder, changed("once"))
    return session_id


def changed(word: str) -> Package:
    small = small_package()
    text = small.templates["en"]["write.md.j2"].replace("Write", f"Write {word}")
    return replace(small, templates={"en": {**small.templates["en"], "write.md.j2": text}})


def _put(folder: Path, package: Package) -> None:
    for name, text in package.templates["en"].items():
        (folder / "prompts" / "en" / name).write_text(text)


async def replayed(site: Site, session_id: str, **wish: Any) -> str:
    answer = await site.client.post(f"{BASE}/{session_id}/replay", json=wish)
    assert answer.status_code == 201, answer.text
    return answer.json()["sessionId"]


async def finish(site: Site, session_id: str) -> list[str]:
    """Do the workers' part until it has completed; answers what was left to them."""
    left: list[str] = []
    while (status := await site.get(session_id, "/async-status"))["session"]["status"] != "COMPLETED":
        waited = status["asyncTasks"]["current"]
        for task in waited:
            if task["status"] == "QUEUED":
                left.append(task["id"])
                await site.answer(task["id"])
        await site.post(session_id, "continue-async", {"taskId": waited[-1]["id"]})
    return left


async def test_of_many_replays_at_once_there_is_one_and_it_buys_what_changed(site: Site, original: str) -> None:
    foreseen = await site.post(original, "replay", {"dryRun": True}, expect=200)
    assert (foreseen["recorded"], foreseen["toBuy"]["calls"], foreseen["existing"]) == (CALLS - 1, {"gpt": 1}, None)
    replays = await asyncio.gather(*(replayed(site, original) for _ in range(20)))
    assert len(set(replays)) == 1
    assert await finish(site, replays[0]) == [f"{replays[0]}.2I.g1.0"]
    whole = await site.get(replays[0])
    assert (whole["replayOf"], whole["cost"]["spentUsd"], whole["cost"]["savedUsd"]) == (original, 0.001, 0.006)
    tasks = {task["id"]: task for task in (await site.get(replays[0], "/tasks"))["tasks"]}
    assert tasks[f"{replays[0]}.1E.g1.2"]["cachedFrom"] == f"{original}.1E.g1.2"
    assert tasks[f"{replays[0]}.1E.g1.2"]["submissions"] == []
    again = await site.post(original, "replay", {"dryRun": True}, expect=200)
    assert (again["existing"], again["toBuy"]["calls"]) == (replays[0], {})


async def test_what_an_earlier_replay_bought_is_not_bought_again(site: Site, original: str, folder: Path) -> None:
    first = await replayed(site, original)
    await finish(site, first)
    restarted = await site.post(first, "recover", {"action": "restart_session"})
    assert await finish(site, restarted["sessionId"]) == []
    assert (await site.get(restarted["sessionId"]))["replayOf"] == original
    _put(folder, small_package())
    assert await finish(site, await replayed(site, first)) == []


async def test_only_answers_of_the_same_owner_that_were_really_given_are_on_record(site: Site, original: str) -> None:
    tasks = site.database.journaled("tasks")
    await tasks.update_one({"_id": f"{original}.1T.g1.0"}, {"$set": {"tenant": "somebody else"}})
    assert (await site.post(original, "replay", {"dryRun": True}, expect=200))["recorded"] == 0
    await tasks.update_one({"_id": f"{original}.1T.g1.0"}, {"$set": {"tenant": "local"}})
    await tasks.update_one({"_id": f"{original}.2T.g1.0"}, {"$set": {"status": "OUTCOME_UNKNOWN"}})
    assert (await site.post(original, "replay", {"dryRun": True}, expect=200))["recorded"] == CALLS - 2
    replay = await replayed(site, original)
    assert await finish(site, replay) == [f"{replay}.2T.g1.0", f"{replay}.2I.g1.0"]


async def test_what_is_asked_for_anew_is_bought(site: Site, original: str) -> None:
    replay = await replayed(site, original)
    await finish(site, replay)
    await site.post(replay, "recover", {"action": "restart_phase", "phaseNumber": 2, "fresh": True})
    assert await finish(site, replay) == [f"{replay}.2T.g2.0", f"{replay}.2I.g2.0"]


async def test_a_replay_whose_tasks_were_lost_before_anybody_heard_of_them_goes_on(site: Site, original: str) -> None:
    replay = await replayed(site, original)
    await site.database.journaled("tasks").delete_many({"sessionId": replay})
    session = await site.server.parts.sessions.load(replay)  # type: ignore[arg-type]
    assert session is not None
    assert await site.server.parts.relay.send_again(session) == 1
    assert await finish(site, replay) == [f"{replay}.2I.g1.0"]


async def test_a_workflow_that_does_not_suit_is_refused_with_the_reason(
    site: Site, original: str, folder: Path
) -> None:
    refused = {"no-such": "there is no 'no-such'", "small@0000000000000000": "there is no version", "A": "workflow"}
    for name, why in refused.items():
        answer = await site.post(original, "replay", {"workflow": name}, expect=422)
        assert why in answer["detail"]
    await site.post(UNKNOWN, "replay", expect=404)
    (folder / "prompts" / "en" / "write.md.j2").write_text("{{ nonsense }}")
    broken = await site.post(original, "replay", expect=422)
    assert "prompts/en/write.md.j2:1: unknown variable 'nonsense'" in broken["detail"]
    note = folder / "schemas" / "note.json"
    sound = note.read_text("utf-8")
    note.write_text(sound.replace('"string"', '"string", "enum": []'), "utf-8")
    broken = await site.post(original, "replay", expect=422)
    note.write_text(sound, "utf-8")
    assert "schemas/note.json:1: $.note: enum has no choices" in broken["detail"]
