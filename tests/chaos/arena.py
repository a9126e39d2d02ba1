"""A native stack to break things in: its API, its simulator, its ledger, and a person who decides what only one can.

Longer than most, because all that a fault test says to a stack is said here.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self, TypeVar

import aio_pika
import httpx
from aiormq.exceptions import AMQPError
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from ekiden_native import Stack
from ekiden_native.errors import NotRunning
from ekiden_native.ports import own_ports
from ekiden_native.program import PROGRAMS, Program
from tests.chaos import oracle
from tests.chaos.at_risk import AtRisk
from tests.chaos.oracle import Row, Verdict
from tests.chaos.report import Part

SESSIONS = "/api/viral/cot-session"
ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
MOVING = {"THINKING", "EXECUTING", "INTEGRATING"}
ONE_OF_EACH = {"gateway": 1, "orchestrator": 1, "gpt-worker": 1, "perplexity-worker": 1}
SERVICES = tuple(ONE_OF_EACH)
TAKEN_UP_SECONDS = 15.0
"""From the death of a service, or from the port of broker or database answering again, to work going on (DESIGN 7)."""
NOT_NOW = (httpx.HTTPError, PyMongoError, AMQPError, OSError)
T = TypeVar("T")


class Fault(Protocol):
    """Something bad that can be done to a stack; `kind` is its name in the table."""

    @property
    def kind(self) -> str: ...

    @property
    def counts_cuts(self) -> bool:
        """Whether it counts the GPT calls it cuts by itself. Of others all that is under way may be cut."""
        ...

    async def strike(self, arena: "Arena") -> int:
        """Do it, and return how often it really struck. What it stops it sets going again before it returns."""
        ...


class Arena:
    """The stack with its addresses. `variables` are told to single services only, beside `env`, told to all."""

    def __init__(
        self,
        root: Path,
        services: Mapping[str, int] = ONE_OF_EACH,
        env: Mapping[str, str] | None = None,
        *,
        variables: Mapping[str, Mapping[str, str]] | None = None,
        part: Part | None = None,
    ) -> None:
        self.part = part or Part("not in the table")
        self.drafts = 3
        self.crash_file = root / "crash"
        settings = {"EKIDEN_SIMULATOR_TIME_SCALE": "0.03", "EKIDEN_CRASH_FILE": str(self.crash_file)}
        settings |= own_ports() | dict(env or {})
        self.stack = Stack(root / "stack", services=services, env=settings, programs=_told(variables or {}))
        self.at_risk = AtRisk()
        self._dying: asyncio.Task[datetime] | None = None

    def up(self) -> None:
        self.stack.up(120.0)
        self._connect()

    @asynccontextmanager
    async def standing(self) -> AsyncGenerator[Self]:
        """Up, without holding up the event loop that our proxies run in; and down again."""
        try:
            await asyncio.to_thread(self.stack.up, 120.0)
            self._connect()
            yield self
        finally:
            await self.down()

    def _connect(self) -> None:
        addresses = self.stack.env
        self.api = httpx.AsyncClient(base_url=addresses["EKIDEN_GATEWAY_URL"], timeout=10.0)
        self.simulator = httpx.AsyncClient(base_url=addresses["EKIDEN_SIMULATOR_URL"], timeout=10.0)
        self.mongo: AsyncMongoClient[Row] = AsyncMongoClient(addresses["EKIDEN_MONGODB_URL"], tz_aware=True)
        self.database = self.mongo["ekiden"]
        self.amqp_url = addresses["EKIDEN_AMQP_URL"]

    async def down(self) -> None:
        if hasattr(self, "api"):
            await self.api.aclose()
            await self.simulator.aclose()
            await self.mongo.close()
        await asyncio.to_thread(self.stack.down, wipe=True)

    # Sessions

    async def start(self, theme: str, **wishes: object) -> str:
        """Create and start a session, also while the gateway or the database is being restarted."""
        body = {"theme": theme, "style": "insight", "platform": "twitter", "start": True, **wishes}
        key = {"Idempotency-Key": f"{theme}-{time.monotonic_ns()}"}

        async def created() -> str | None:
            answer = await self.api.post(f"{SESSIONS}/create", json=body, headers=key)
            return str(answer.json()["sessionId"]) if answer.status_code == 201 else None

        return await self.until(created, f"{theme} is created")

    async def start_many(self, theme: str, count: int, **wishes: object) -> list[str]:
        return await asyncio.gather(*(self.start(f"{theme} {n}", **wishes) for n in range(count)))

    async def status(self, session_id: str) -> Row:
        answer = await self.api.get(f"{SESSIONS}/{session_id}/async-status")
        answer.raise_for_status()
        return answer.json()

    async def version(self, session_id: str) -> int:
        async def known() -> int | None:
            found = await self.database["sessions"].find_one({"_id": session_id}, {"version": 1})
            return found["version"] + 1 if found is not None else None  # + 1, because 0 is a version, too

        return await self.until(known, f"the database knows {session_id}") - 1

    async def until_at(self, session_id: str, position: str) -> bool:
        """Wait until a session is at `1.EXECUTE` with its calls on their way. False when it is past it.

        Searches are on their way when all of them have a run id: before that a kill leaves an unknown outcome.
        """
        phase, step = position.split(".")
        here = {"sessionId": session_id, "phase": int(phase), "step": step}
        under_way = {"runId": {"$ne": None}} if step == "EXECUTE" else {"epoch": {"$gt": 0}}

        async def there() -> str | None:
            found = await self.database["sessions"].find_one({"_id": session_id}, {"position": 1, "steps": 1})
            if not found:
                return None
            if found["steps"].get(f"{phase}{step[0]}", {}).get("result") is not None:
                return "past"
            ordered = len(found["steps"].get(f"{phase}{step[0]}", {}).get("tasks", ()))
            begun = await self.database["tasks"].count_documents(here | under_way)
            return "there" if ordered and begun >= ordered else None

        return await self.until(there, f"{session_id} is at {position}") == "there"

    async def until_ended(
        self, session_ids: Iterable[str], timeout: float = 120.0, *, deciding: bool = False, retrying: bool = False
    ) -> list[Row]:
        """The sessions' documents when all have ended and nothing is left to be settled.

        `deciding` does a person's part on unknown outcomes, `retrying` on sessions that failed.
        """
        wanted = list(session_ids)
        query = {"_id": {"$in": wanted}, "status": {"$in": list(ENDED)}}

        async def ended() -> list[Row] | None:
            if deciding:
                await self.decide_unknown(wanted)
            if retrying:
                await self.retry_failed(wanted)
            if await self.database["sessions"].count_documents(query) < len(wanted):
                return None
            return await self.database["sessions"].find(query).to_list() if await self._settled(wanted) else None

        return await self.until(ended, "all sessions ended", timeout, every=0.05 if len(wanted) < 10 else 0.5)

    async def _settled(self, session_ids: list[str]) -> bool:
        """Whether nothing is on its way any more: no money is reserved, all bills are settled."""
        of = {"sessionId": {"$in": session_ids}}
        if await self.database["tasks"].find_one(of | {"status": {"$nin": list(oracle.FINAL)}}, {"_id": 1}):
            return False
        reserved = {"_id": {"$in": session_ids}, "reserved.0": {"$exists": True}}
        if await self.database["sessions"].find_one(reserved, {"_id": 1}) is not None:
            return False
        sessions = await self.database["sessions"].find({"_id": {"$in": session_ids}}, {"settled": 1}).to_list()
        tasks = await self.database["tasks"].find(of, _PAID).to_list()
        return not oracle.unsettled(sessions, tasks)

    async def until(
        self, condition: Callable[[], Awaitable[T | None]], what: str, timeout: float = 60.0, *, every: float = 0.05
    ) -> T:
        """Ask again and again until the answer is true; what does not answer right now is asked again, too."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if answer := await condition():
                    return answer
            except NOT_NOW:
                pass  # it is being restarted
            await asyncio.sleep(every)
        raise AssertionError(f"not within {timeout:.0f} s: {what}")

    # A person's part

    async def decide_unknown(self, session_ids: list[str]) -> None:
        """What a careful person does: attach the run that the provider's bill shows, else send again."""
        unknown = {"sessionId": {"$in": session_ids}, "status": "OUTCOME_UNKNOWN"}
        tasks = await self.database["tasks"].find(unknown, {"sessionId": 1, "submissions": 1}).to_list()
        if not tasks:
            return
        bill = await self.bill()
        for task in tasks:
            # The run of the attempt that is unknown: an earlier one may have its verdict already.
            booked = {submission.get("runId") for submission in task["submissions"]}
            runs = [c["runId"] for c in bill if c["taskId"] == task["_id"] and c["runId"] not in booked]
            await self.resolve(task, {"decision": "attach", "runId": runs[-1]} if runs else {"decision": "resend"})

    async def resolve(self, task: Row, decision: dict[str, str]) -> int:
        body = {"action": "resolve", "taskId": task["_id"], **decision}
        answer = await self.api.post(f"{SESSIONS}/{task['sessionId']}/recover", json=body)
        return answer.status_code

    async def retry_failed(self, session_ids: list[str]) -> None:
        failed = {"_id": {"$in": session_ids}, "status": "FAILED"}
        for session in await self.database["sessions"].find(failed, {"_id": 1}).to_list():
            await self.api.post(f"{SESSIONS}/{session['_id']}/recover", json={"action": "retry"})

    # Faults

    async def suffer(self, fault: Fault) -> int:
        """Let a fault strike, and count it as often as it did."""
        if fault.counts_cuts:
            struck = await fault.strike(self)
        else:
            async with self.at_risk.during(self.database["tasks"]):
                struck = await fault.strike(self)
        if struck:
            self.part.faults[fault.kind] += struck
        return struck

    async def kill(self, service: str) -> None:
        """SIGKILL a process, as soon as there is one to kill."""

        async def killed() -> bool:
            try:
                await asyncio.to_thread(self.stack.kill, service)
            except NotRunning:
                return False
            return True

        async with self.at_risk.during(self.database["tasks"]):
            await self.until(killed, f"{service} was killed")
        self.part.faults[f"SIGKILL of {service}"] += 1

    async def crash_at(self, point: str) -> None:
        """Whoever reaches this point next dies there."""
        await asyncio.to_thread(self.crash_file.write_text, point)
        self._dying = asyncio.create_task(self._death(point))

    async def _death(self, point: str) -> datetime:
        async def gone() -> bool:
            return not await asyncio.to_thread(self.crash_file.exists)

        await self.until(gone, f"the process crashed at {point}")
        died = datetime.now(UTC)
        await self.at_risk.note(self.database["tasks"])
        return died

    async def crashed(self) -> datetime:
        """When somebody died at the point that was asked for; waits for it."""
        assert self._dying is not None, "a crash was asked for"
        died = await self._dying
        self.part.faults["crash point"] += 1
        return died

    def taken_up(self, session: Row, died: datetime) -> None:
        """Check, by its history, how soon after a death a session that has ended since then moved."""
        later = [(entry["at"] - died).total_seconds() for entry in session["history"] if entry["at"] > died]
        assert later, f"{session['_id']} was under way when the process died"
        self.part.went_on_after(later[0])
        assert later[0] <= TAKEN_UP_SECONDS, f"{session['_id']} was taken up after {later[0]:.1f} s"

    async def moved_on(self, session_id: str, version: int, since: float) -> float:
        """Seconds from `since` (monotonic) until the session has a newer version."""

        async def newer() -> bool:
            return await self.version(session_id) > version

        await self.until(newer, f"{session_id} moves on", 40)
        seconds = time.monotonic() - since
        self.part.went_on_after(seconds)
        return seconds

    async def went_on(self, session_ids: Iterable[str], since: float, *, all_of_them: bool = True) -> float:
        """Seconds from `since` (monotonic) until every session that is under way now has moved; or the first of them.

        A session that waits for a person has moved, too.
        """
        moving = {"_id": {"$in": list(session_ids)}, "status": {"$in": list(MOVING)}}

        async def moving_now() -> tuple[dict[str, int]]:
            found = await self.database["sessions"].find(moving, {"version": 1}).to_list()
            return ({row["_id"]: row["version"] for row in found},)

        (versions,) = await self.until(moving_now, "the database answers")
        assert versions, "something is under way"

        still = set(versions)

        async def moved() -> bool:
            now = await self.database["sessions"].find({"_id": {"$in": list(versions)}}, {"version": 1}).to_list()
            still.difference_update(row["_id"] for row in now if row["version"] > versions[row["_id"]])
            return not still if all_of_them else len(still) < len(versions)

        try:
            await self.until(moved, "work goes on")
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *[await self.ails(session) for session in still]])) from None
        seconds = time.monotonic() - since
        self.part.went_on_after(seconds)
        return seconds

    async def ails(self, session_id: str) -> str:
        """What the doctor says of a session."""
        health = (await self.api.get(f"{SESSIONS}/{session_id}/recover")).json()["health"]
        return f"{session_id}: {health}"

    # The oracle

    async def bill(self) -> list[Row]:
        return (await self.simulator.get("/bill", timeout=30.0)).json()["calls"]

    async def judge(self, sessions: list[Row]) -> Verdict:
        """Check all that must hold after a fault, and put the figures into the table."""
        ids = {session["_id"] for session in sessions}
        for session in sessions:
            assert session["status"] == "COMPLETED", (session["_id"], session["status"], session["failure"])
        tasks = await self.database["tasks"].find({"sessionId": {"$in": list(ids)}}, _SHOWN).to_list()
        drafts = await self.database["drafts"].count_documents({"session": {"$in": list(ids)}})
        assert drafts == self.drafts * len(ids), f"{drafts} drafts of {len(ids)} sessions"
        bill = [call for call in await self.bill() if call["taskId"][:36] in ids]
        at_risk, self.at_risk = self.at_risk, AtRisk()
        verdict = oracle.judge(sessions, tasks, bill, at_risk.by_task(bill))
        dead = await self.dead_letters()
        part = self.part
        part.sessions += verdict.sessions
        part.completed += verdict.completed
        part.searches += verdict.searches
        part.searches_twice += verdict.searches_twice
        part.resends += verdict.resends
        part.gpt_twice += verdict.gpt_twice
        part.dead_letters = max(part.dead_letters, dead)
        assert verdict.searches_twice == 0, "a search was bought twice and nothing explains it"
        assert verdict.gpt_unexplained <= at_risk.cuts, "a GPT call was sent twice that no fault had met"
        assert dead == 0, "nothing is in the dead letters"
        return verdict

    async def dead_letters(self) -> int:
        """Those the orchestrators have kept, and those they have not come to yet."""
        queued = await self.until(lambda: self._depth("ekiden.dead-letters"), "the broker answers") - 1
        return queued + await self.database["dead_letters"].count_documents({})

    async def _depth(self, queue: str) -> int:
        """One more than the messages that are ready."""
        async with await aio_pika.connect(self.amqp_url, timeout=5) as connection:
            channel = await connection.channel()
            return 1 + ((await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0)

    async def depth(self, queue: str) -> int:
        return await self._depth(queue) - 1


_PAID = ("sessionId", "status", "billed", "submissions.epoch")
_SHOWN = (
    *("sessionId", "provider", "status", "worker", "requestHash", "cap", "billed", "cachedFrom"),
    *("startedAt", "finishedAt", "submissions"),
)


def _told(variables: Mapping[str, Mapping[str, str]]) -> dict[str, Program]:
    """The stack's programs, some with variables of their own: env(1) sets them and becomes the program."""

    def told(program: Program, own: Mapping[str, str]) -> Program:
        said = tuple(f"{name}={value}" for name, value in own.items())
        return replace(program, command=("/usr/bin/env", *said, *program.command)) if said else program

    return {name: told(program, variables.get(name, {})) for name, program in PROGRAMS.items()}


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else "a point it has passed"
