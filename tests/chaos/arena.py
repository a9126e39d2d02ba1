"""A native stack to break things in, and the oracle that says whether anything was lost or paid twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from ekiden_native import Stack
from ekiden_native.errors import NotRunning

SESSIONS = "/api/viral/cot-session"
ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
Row = dict[str, Any]
T = TypeVar("T")


class Arena:
    """The stack, its API, its simulator's bill and its database; and a file that asks for a crash."""

    def __init__(self, root: Path, services: dict[str, int], env: dict[str, str] | None = None) -> None:
        self.crash_file = root / "crash"
        settings = {"EKIDEN_SIMULATOR_TIME_SCALE": "0.03", "EKIDEN_CRASH_FILE": str(self.crash_file), **(env or {})}
        self.stack = Stack(root / "stack", services=services, env=settings)

    def up(self) -> None:
        self.stack.up()
        addresses = self.stack.env
        self.api = httpx.AsyncClient(base_url=addresses["EKIDEN_GATEWAY_URL"], timeout=10.0)
        self.simulator = httpx.AsyncClient(base_url=addresses["EKIDEN_SIMULATOR_URL"], timeout=10.0)
        self.mongo: AsyncMongoClient[Row] = AsyncMongoClient(addresses["EKIDEN_MONGODB_URL"], tz_aware=True)
        self.database = self.mongo["ekiden"]

    async def down(self) -> None:
        if hasattr(self, "api"):
            await self.api.aclose()
            await self.simulator.aclose()
            await self.mongo.close()
        await asyncio.to_thread(self.stack.down, wipe=True)

    async def start(self, theme: str, **wishes: object) -> str:
        """Create and start a session, also while the gateway or the database is being restarted."""
        body = {"theme": theme, "style": "insight", "platform": "twitter", "start": True, **wishes}
        key = {"Idempotency-Key": f"{theme}-{time.monotonic_ns()}"}

        async def created() -> str | None:
            answer = await self.api.post(f"{SESSIONS}/create", json=body, headers=key)
            return str(answer.json()["sessionId"]) if answer.status_code == 201 else None

        return await self.until(created, f"{theme} is created")

    async def status(self, session_id: str) -> Row:
        answer = await self.api.get(f"{SESSIONS}/{session_id}/async-status")
        answer.raise_for_status()
        return answer.json()

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

    async def kill(self, service: str) -> None:
        """SIGKILL a process, as soon as there is one to kill."""

        async def killed() -> bool:
            try:
                await asyncio.to_thread(self.stack.kill, service)
            except NotRunning:
                return False
            return True

        await self.until(killed, f"{service} was killed")

    async def until_ended(
        self, session_ids: Iterable[str], timeout: float = 120.0, *, deciding: bool = False
    ) -> list[Row]:
        """The sessions' documents when all have ended; `deciding` does a person's part on unknown outcomes."""
        wanted = list(session_ids)

        async def ended() -> list[Row] | None:
            if deciding:
                await self.decide_unknown(wanted)
            query = {"_id": {"$in": wanted}, "status": {"$in": list(ENDED)}}
            found = await self.database["sessions"].find(query).to_list()
            return found if len(found) == len(wanted) else None

        return await self.until(ended, "all sessions ended", timeout)

    async def until(self, condition: Callable[[], Awaitable[T | None]], what: str, timeout: float = 60.0) -> T:
        """Ask again and again until the answer is true; what does not answer right now is asked again, too."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if answer := await condition():
                    return answer
            except (httpx.HTTPError, PyMongoError):
                pass  # it is being restarted
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {timeout:.0f} s: {what}")

    async def decide_unknown(self, session_ids: list[str]) -> None:
        """What a careful person does: attach the run that the provider's bill shows, else send again."""
        unknown = {"sessionId": {"$in": session_ids}, "status": "OUTCOME_UNKNOWN"}
        runs = {call["taskId"]: call["runId"] for call in await self.bill()}
        for task in await self.database["tasks"].find(unknown).to_list():
            found = runs.get(task["_id"])
            decision = {"decision": "attach", "runId": found} if found else {"decision": "resend"}
            await self.resolve(task, decision)

    async def resolve(self, task: Row, decision: dict[str, str]) -> int:
        body = {"action": "resolve", "taskId": task["_id"], **decision}
        answer = await self.api.post(f"{SESSIONS}/{task['sessionId']}/recover", json=body)
        return answer.status_code

    async def bill(self) -> list[Row]:
        return (await self.simulator.get("/bill")).json()["calls"]

    async def crash_at(self, point: str) -> None:
        await asyncio.to_thread(self.crash_file.write_text, point)

    async def crashed(self) -> None:
        async def gone() -> bool:
            return not await asyncio.to_thread(self.crash_file.exists)

        await self.until(gone, "the process crashed")

    async def judge(self, sessions: list[Row]) -> Counter[str]:
        """The oracle. Answers how often each provider was paid for one task more than once."""
        ids = [session["_id"] for session in sessions]
        for session in sessions:
            assert session["status"] == "COMPLETED", (session["_id"], session["status"], session["failure"])
            assert len(session["history"]) == session["version"] + 1, "each transition is in the history once"
            assert [entry["version"] for entry in session["history"]] == list(range(session["version"] + 1))
        tasks = await self.database["tasks"].find({"sessionId": {"$in": ids}}).to_list()
        open_tasks = [task["_id"] for task in tasks if task["status"] not in {"COMPLETED", "FAILED", "CANCELLED"}]
        assert not open_tasks, "no task is left on its way"
        assert await self.database["drafts"].count_documents({"session": {"$in": ids}}) == 3 * len(ids)
        paid = Counter(call["taskId"] for call in await self.bill() if call["taskId"][:36] in ids)
        for session in sessions:
            assert not session["reserved"], (session["_id"], session["reserved"])
        known = {task["_id"]: task for task in tasks}
        for task_id in paid:
            assert task_id in known, f"{task_id} was paid and is not in the ledger"
        kind = {True: "search", False: "gpt"}
        return Counter(kind[known[task]["provider"] == "perplexity"] for task, times in paid.items() if times > 1)
