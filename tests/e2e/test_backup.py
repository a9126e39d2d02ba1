"""A backup under load, everything lost after it, a restore: nothing is bought without a person, then all go on.

What the provider was paid for between the backup and the loss the database knows nothing of. The simulator stands for
the provider: it alone survives.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from ekiden_native import Stack
from ekiden_native.backup import back_up, restore
from ekiden_native.errors import StackError
from ekiden_native.ports import own_ports

Row = dict[str, Any]
SESSIONS = "/api/viral/cot-session"
SERVICES = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")
EARLY, MIDDLE, LATE = 6, 6, 6
SEARCHES = 3
CAP_USD = 0.06
BEHIND_THE_BACKUP_SECONDS = 10.0
"""How much longer a call takes that is to be under way while the copy is made."""
PATIENCE_SECONDS = 120.0
OPEN = ["QUEUED", "PROCESSING", "SUBMITTED"]


@dataclass
class World:
    """A stack of its own, with the sessions that were begun on it, and what a person does there."""

    stack: Stack
    environment: dict[str, str]
    api: httpx.AsyncClient
    simulator: httpx.AsyncClient
    mongo: AsyncMongoClient[Row]
    started: list[str] = field(default_factory=list[str])
    pending: str = ""
    gated: str = ""
    lost: str = ""
    at_backup: dict[str, Row] = field(default_factory=dict[str, Row])
    paid: dict[str, str] = field(default_factory=dict[str, str])
    dry_run: Row = field(default_factory=dict[str, Any])
    turned: Row = field(default_factory=dict[str, Any])
    again: Row = field(default_factory=dict[str, Any])
    unchanged_by_dry_run: bool = False

    @property
    def all(self) -> list[str]:
        return [*self.started, self.pending, self.gated]

    @property
    def database(self) -> Any:
        return self.mongo["ekiden"]

    async def create(self, theme: str, **wishes: object) -> str:
        body = {"theme": theme, "style": "insight", "platform": "twitter", **wishes}
        answer = await self.api.post(f"{SESSIONS}/create", json=body)
        answer.raise_for_status()
        return str(answer.json()["sessionId"])

    async def wave(self, theme: str, count: int) -> list[str]:
        created = [await self.create(f"{theme} {n}") for n in range(count)]
        self.started += created
        return created

    async def start(self, session_ids: list[str]) -> None:
        await asyncio.gather(*(self.say(session_id, "process-async") for session_id in session_ids))

    async def go_on_by_hand(self) -> None:
        """What a person did between the backup and the loss, and does once more behind the restore."""
        await self.say(self.pending, "process-async")
        await self.say(self.gated, "continue-async")

    async def slow(self, session_ids: list[str], provider: str, kind: str, step: str, seconds: float) -> None:
        """Let a step of these sessions take so many more real seconds at its provider."""
        scope = {"kind": kind, "provider": provider, "seconds": seconds, "times": None}
        faults = [{**scope, "match": f"{session_id}.{step}"} for session_id in session_ids]
        (await self.simulator.post("/faults", json=faults)).raise_for_status()

    async def say(self, session_id: str, route: str, **body: object) -> Row:
        answer = await self.api.post(f"{SESSIONS}/{session_id}/{route}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def bill(self) -> list[Row]:
        return (await self.simulator.get("/bill")).json()["calls"]

    async def runs(self) -> dict[str, str]:
        """The searches that were ever bought: run → task."""
        return {call["runId"]: call["taskId"] for call in await self.bill() if call["provider"] == "perplexity"}

    async def tasks(self, session_ids: list[str], **query: object) -> list[Row]:
        return await self.database["tasks"].find({"sessionId": {"$in": session_ids}, **query}).to_list()

    async def sessions(self, **query: object) -> list[Row]:
        return await self.database["sessions"].find({"_id": {"$in": self.all}, **query}).to_list()

    async def until(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
            await asyncio.sleep(0.05)

    async def ekiden(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ekiden_cli", *arguments]
        return await asyncio.to_thread(
            lambda: subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        )

    async def after_restore(self, *options: str) -> Row:
        ran = await self.ekiden("doctor", "--after-restore", "--json", *options)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return json.loads(ran.stdout)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, machine: dict[str, str]) -> AsyncIterator[World]:
    """A stack before its loss: sessions at every step when the backup is made, searches paid after it."""
    root = tmp_path_factory.mktemp("backup")
    stack = Stack(root / "stack", env={"EKIDEN_SIMULATOR_TIME_SCALE": "0.01", **own_ports()}, simulate=True)
    try:
        await asyncio.to_thread(stack.up, 120.0)
        async with (
            httpx.AsyncClient(base_url=stack.env["EKIDEN_GATEWAY_URL"], timeout=30, trust_env=False) as api,
            httpx.AsyncClient(base_url=stack.env["EKIDEN_SIMULATOR_URL"], timeout=30, trust_env=False) as simulator,
            AsyncMongoClient[Row](stack.env["EKIDEN_MONGODB_URL"], tz_aware=True, appname="a test") as mongo,
        ):
            environment = machine | {"EKIDEN_STATE_DIR": str(stack.state.root)}
            made = World(stack, environment, api, simulator, mongo)
            await _live(made, root / "copy")
            await _lose_and_restore(made, root / "copy")
            yield made
    finally:
        await asyncio.to_thread(stack.down, wipe=True)


async def _live(world: World, copy: Path) -> None:
    """Begin sessions in three waves, copy the database between them, and let all of their searches be paid."""
    world.pending = await world.create("started after the backup")
    world.gated = await world.create("let on after the backup", pauseBefore=["1.EXECUTE"])
    early = await world.wave("early", EARLY)
    middle = await world.wave("middle", MIDDLE)
    late = await world.wave("late", LATE)
    await world.start([*early, world.gated])

    async def at_the_gate() -> bool:
        return bool(await world.sessions(_id=world.gated, waitingReason="approval"))

    async def past_their_searches() -> bool:
        joined = {"_id": {"$in": early}, "steps.1E.result": {"$type": "array"}}
        return await world.database["sessions"].count_documents(joined) == EARLY

    await world.until(at_the_gate, "one waits at its gate")
    await world.until(past_their_searches, "the early ones have their searches")
    await world.slow(middle, "perplexity", "slow_poll", "1E", BEHIND_THE_BACKUP_SECONDS)
    await world.start(middle)

    async def collecting() -> bool:
        return len(await world.tasks(middle, status="SUBMITTED")) == MIDDLE * SEARCHES

    await world.until(collecting, "searches are under way")
    await world.slow(late, "openai", "delay", "1T", BEHIND_THE_BACKUP_SECONDS)
    await world.start(late)

    async def thinking() -> bool:
        return len(await world.tasks(late, status="PROCESSING")) == LATE

    await world.until(thinking, "the late ones think")
    with pytest.raises(StackError, match="is running"):
        restore(world.stack.state, await asyncio.to_thread(_back_up, world, copy))
    await world.go_on_by_hand()
    world.lost = await world.create("created after the backup")
    await world.start([world.lost])
    paid = dict.fromkeys([*world.all, world.lost], SEARCHES)

    async def all_are_paid() -> bool:
        return Counter(task[:36] for task in (await world.runs()).values()) == paid

    await world.until(all_are_paid, "every search of every session is paid")


def _back_up(world: World, copy: Path) -> Path:
    return back_up(world.stack.state, world.stack.env["EKIDEN_MONGODB_URL"], copy)


async def _lose_and_restore(world: World, copy: Path) -> None:
    """Kill all that is ours, put the backup in place, and run the doctor: dry, for good, and once more."""
    stack = world.stack
    everything = (*SERVICES, "rabbitmq", "mongod")
    await asyncio.gather(*(asyncio.to_thread(stack.stop_service, name, grace_seconds=0) for name in everything))
    world.paid = await world.runs()
    (await world.simulator.delete("/faults")).raise_for_status()
    await asyncio.to_thread(restore, stack.state, copy)
    await asyncio.to_thread(stack.start_service, "mongod")
    await asyncio.to_thread(stack.wait_ready, "mongod", timeout=60)
    world.at_backup = {row["_id"]: row for row in await world.sessions()}
    tasks = await world.tasks(world.all)
    world.dry_run = await world.after_restore("--dry-run")
    same = world.at_backup == {row["_id"]: row for row in await world.sessions()}
    world.unchanged_by_dry_run = same and tasks == await world.tasks(world.all)
    world.turned = await world.after_restore()
    world.again = await world.after_restore()


async def test_the_backup_has_sessions_at_every_step(world: World) -> None:
    places = Counter(row["position"] for row in world.at_backup.values())
    assert len(world.at_backup) == EARLY + MIDDLE + LATE + 2
    assert (places[None], places["1.THINK"]) == (1, LATE)
    assert places["1.EXECUTE"] == MIDDLE + 1


async def test_searches_were_paid_after_it(world: World) -> None:
    known = {row["_id"] for row in await world.tasks(world.all, provider="perplexity")}
    assert len(set(world.paid.values()) - known) == (LATE + 3) * SEARCHES


async def test_a_dry_run_says_what_is_at_risk_and_changes_nothing(world: World) -> None:
    assert world.dry_run["dryRun"] is True
    assert world.dry_run["turned"] is None
    assert world.unchanged_by_dry_run
    for key in ("atRiskUsd", "expectedAtRiskUsd"):
        assert world.dry_run[key] == world.turned[key] > 0


async def test_every_search_that_had_not_ended_is_an_unknown_outcome(world: World) -> None:
    assert not await world.tasks(world.all, provider="perplexity", status={"$in": OPEN})
    unknown = await world.tasks(world.all, provider="perplexity", status="OUTCOME_UNKNOWN")
    assert world.turned["turned"]["searches"] == len(unknown) == MIDDLE * SEARCHES
    assert world.turned["atRiskUsd"] == pytest.approx(CAP_USD * len(unknown))


async def test_a_second_run_changes_nothing(world: World) -> None:
    assert world.again["turned"] == {"sessions": 0, "searches": 0, "calls": 0, "schedules": 0}
    assert all(row["marked"] for row in world.again["sessions"])


async def test_nothing_is_bought_before_a_person_says_so_and_then_all_complete(world: World) -> None:
    """One test, because the first half is over once the second has begun."""
    await asyncio.to_thread(world.stack.start_service, "rabbitmq")
    for name in SERVICES:
        await asyncio.to_thread(world.stack.start_service, name)
    for name in SERVICES:
        await asyncio.to_thread(world.stack.wait_ready, name, timeout=90)
    await world.go_on_by_hand()
    searched = {s for s, row in world.at_backup.items() if (row["steps"].get("1E") or {}).get("result") is not None}

    async def all_wait_or_are_done() -> bool:
        waiting = {row["_id"] for row in await world.sessions(waitingReason="outcome_unknown")}
        done = {row["_id"] for row in await world.sessions(status="COMPLETED")}
        return waiting | done == set(world.all) and not waiting & searched

    await world.until(all_wait_or_are_done, "whoever needs a search waits for a person, all others complete")
    assert await world.runs() == world.paid, "no search was bought"
    waiting = [row["_id"] for row in await world.sessions(waitingReason="outcome_unknown")]
    assert {world.pending, world.gated} <= set(waiting)
    on_record, unknown = 0, 0
    for session_id in waiting:
        shown = (await world.api.get(f"{SESSIONS}/{session_id}/tasks")).json()["tasks"]
        found = [task for task in shown if task["status"] == "OUTCOME_UNKNOWN"]
        assert found, f"{session_id} shows what it waits for"
        assert {task["atRiskUsd"] for task in found} == {CAP_USD}
        assert all("restored" in task["error"]["message"] for task in found)
        health = (await world.api.get(f"{SESSIONS}/{session_id}/recover")).json()["health"]
        assert health["atRiskUsd"] == pytest.approx(CAP_USD * len(found))
        on_record += sum(task["runId"] is not None for task in found)
        unknown += len(found)

    first, *others = waiting
    said = await world.ekiden("sessions", "recover", first, "--action", "resolve_all", "--decision", "resend")
    assert said.returncode == 0, said.stderr
    for session_id in others:
        await world.say(session_id, "recover", action="resolve_all", decision="resend")

    async def all_completed() -> bool:
        return len(await world.sessions(status="COMPLETED")) == len(world.all)

    await world.until(all_completed, "all sessions complete")
    gone = await world.api.get(f"{SESSIONS}/{world.lost}")
    assert gone.status_code == 404, "what was created after the backup is lost"
    assert await world.database["dead_letters"].count_documents({}) == 0, "messages of it did no harm"
    bought = (await world.runs()).keys() - world.paid.keys()
    assert len(bought) == unknown - on_record, "collected where a run was on record"
    drafts = await world.database["drafts"].count_documents({"session": {"$in": world.all}})
    assert drafts == 3 * len(world.all)
    for session_id, before in world.at_backup.items():
        after = await world.database["sessions"].find_one({"_id": session_id})
        kept = {key: step for key, step in before["steps"].items() if step["result"] is not None}
        assert {key: after["steps"][key]["result"] for key in kept} == {key: kept[key]["result"] for key in kept}
        assert after["history"][: len(before["history"])] == before["history"], "it went on from where it was"
