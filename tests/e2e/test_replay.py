"""A replay on a whole stack: what was bought is not bought again, and the simulator's bill says so."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ekiden_native import Stack
from tests.site import SESSIONS, Site, client_of

VIRAL = Path(__file__).parents[2] / "workflows" / "viral-content"
BEFORE_PHASE_4 = 9
"""Calls of phases 1 to 3: six of GPT, three searches."""
BRIEF = '{% include "_brief.md.j2" +%}'
OTHER_BRIEF = (
    "<brief>\nTheme: Remote work and islands\nStyle: insight\nPlatform: linkedin\nToday: {{ today }}\n</brief>"
)
"""What the simulator writes about: its plan of the posts becomes another."""
Change = Callable[[str, Callable[[str], str]], None]


@pytest.fixture(scope="module")
async def site(stack: Stack) -> AsyncIterator[Site]:
    async with client_of(stack, "GATEWAY") as api, client_of(stack, "SIMULATOR") as simulator:
        yield Site(stack, api, simulator)


@pytest.fixture(scope="module")
async def original(site: Site) -> str:
    session_id = await site.struck("Remote work and small towns", language="en", platform="linkedin")
    await site.until_status(session_id, "COMPLETED")
    return session_id


@pytest.fixture
def change(workflows_dir: Path) -> Iterator[Change]:
    """Changes a file of a copy of viral-content that counts from then on."""
    copy = workflows_dir / "viral-content"
    shutil.copytree(VIRAL, copy)

    def change(name: str, make: Callable[[str], str]) -> None:
        path = copy / name
        path.write_text(make(path.read_text("utf-8")), "utf-8")

    yield change
    shutil.rmtree(copy)


async def replayed(site: Site, session_id: str) -> str:
    """The id of a replay that was asked for five times at once, when it has completed."""
    answers = await asyncio.gather(*(site.api.post(f"{SESSIONS}/{session_id}/replay") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    (replay,) = {answer.json()["sessionId"] for answer in answers}
    await site.until_status(replay, "COMPLETED")
    return replay


async def foreseen(site: Site, session_id: str) -> dict[str, Any]:
    answer = await site.api.post(f"{SESSIONS}/{session_id}/replay", json={"dryRun": True})
    assert answer.status_code == 200, answer.text
    return answer.json()


def asked(task: Mapping[str, Any]) -> str:
    return json.dumps([task["type"], task["request"]], sort_keys=True)


async def test_a_replay_pays_for_the_calls_that_changed_and_for_no_other(
    site: Site, original: str, change: Change
) -> None:
    assert len(await site.bill(original)) == 13
    unchanged = await replayed(site, original)
    assert await site.bill(unchanged) == []

    change("prompts/en/content.think.md.j2", lambda text: text.replace(BRIEF, OTHER_BRIEF))
    forecast = await foreseen(site, original)
    assert (forecast["recorded"], forecast["toBuy"]["calls"]) == (BEFORE_PHASE_4, {"gpt": 4})
    replay = await replayed(site, original)

    bought = {task["id"] for task in await site.tasks(replay) if not task["cachedFrom"]}
    known = {asked(task) for task in await site.tasks(original)}
    changed = {task["id"] for task in await site.tasks(replay) if asked(task) not in known}
    paid = [call["taskId"] for call in await site.bill(replay)]
    print(f"phase-4 prompt changed: {len(changed)} calls changed, {len(paid)} paid, {13 - len(paid)} on record")  # noqa: T201 - the figures
    assert sorted(paid) == sorted(bought) == sorted(changed)
    assert {f"{replay}.4T.g1.0", f"{replay}.4I.g1.0"} <= changed
    bill = sum(call["costUsd"] for call in await site.bill(replay))
    whole = (await site.api.get(f"{SESSIONS}/{replay}")).json()
    assert whole["replayOf"] == original
    assert whole["cost"]["spentUsd"] == pytest.approx(bill, abs=1e-5)
    assert whole["cost"]["savedUsd"] > 0

    change("schemas/strategy.json", lambda text: text.replace('"description": "', '"description": "Well: ', 1))
    assert (await foreseen(site, original))["toBuy"]["calls"] == {"gpt": 1}
    further = await replayed(site, original)
    again = [call["taskId"] for call in await site.bill(further)]
    print(f"schema of the last answer changed as well: {len(again)} paid, what the first replay bought is reused")  # noqa: T201
    assert again == [f"{further}.5I.g1.0"]
