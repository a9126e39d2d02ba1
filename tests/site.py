"""A native stack as a test talks to it: sessions in every state, faults at their calls, trouble at the broker."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
import httpx

from ekiden.broker import topology
from ekiden.domain.plan import Provider
from ekiden_native import Stack

SESSIONS = "/api/viral/cot-session"
GPT_QUEUE = topology.task_queue(Provider.GPT)
PATIENCE_SECONDS = 120.0
Row = dict[str, Any]


@dataclass
class Site:
    """The stack, its gateway and its simulator."""

    stack: Stack
    api: httpx.AsyncClient
    simulator: httpx.AsyncClient

    async def create(self, theme: str, **wishes: object) -> str:
        body = {"theme": theme, "style": "insight", "platform": "twitter", **wishes}
        return (await self._post(f"{SESSIONS}/create", body)).json()["sessionId"]

    async def struck(self, theme: str, *faults: Mapping[str, object], **wishes: object) -> str:
        """Start a session at whose calls the simulator deals out these faults, and answer its id."""
        session_id = await self.create(theme, **wishes)
        armed = [{**fault, "match": session_id} for fault in faults]
        (await self.simulator.post("/faults", json=armed)).raise_for_status()
        await self._post(f"{SESSIONS}/{session_id}/process-async")
        return session_id

    async def cancel(self, session_id: str) -> None:
        await self._post(f"{SESSIONS}/{session_id}/cancel")

    async def until_status(self, session_id: str, status: str) -> None:
        async def reached() -> bool:
            answer = await self.api.get(f"{SESSIONS}/{session_id}/async-status")
            return answer.is_success and answer.json()["session"]["status"] == status

        await until(reached, f"{session_id} is {status}")

    async def until_searching(self, session_id: str) -> None:
        """Wait until the provider has accepted a search of the session and has not answered it."""

        async def searching() -> bool:
            return any(task["status"] == "SUBMITTED" for task in await self.tasks(session_id))

        await until(searching, f"{session_id} is searching")

    async def tasks(self, session_id: str) -> list[Row]:
        """The ledger of a session, each call with all that was asked."""
        answer = (await self.api.get(f"{SESSIONS}/{session_id}/tasks")).raise_for_status()
        return answer.json()["tasks"]

    async def bill(self, session_id: str) -> list[Row]:
        """What the providers would charge for."""
        calls = (await self.simulator.get("/bill")).raise_for_status().json()["calls"]
        return [call for call in calls if str(call["taskId"]).startswith(session_id)]

    async def breaker(self, provider: Provider, verb: str) -> None:
        await self._post(f"/api/providers/{provider}/{verb}")

    async def poison(self) -> None:
        """Send a message that nobody can read."""
        async with await aio_pika.connect(self.stack.env["EKIDEN_AMQP_URL"]) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"no JSON"), GPT_QUEUE)

    async def call(self, path: str, body: object = None) -> Row:
        """Say something to a route of the API, and get its answer."""
        return (await self._post(path, body)).json()

    async def _post(self, path: str, body: object = None) -> httpx.Response:
        return (await self.api.post(path, json=body)).raise_for_status()


def client_of(stack: Stack, who: str) -> httpx.AsyncClient:
    """Talk to one of the stack's addresses: GATEWAY, SIMULATOR or PROMETHEUS."""
    return httpx.AsyncClient(base_url=stack.env[f"EKIDEN_{who}_URL"], timeout=PATIENCE_SECONDS, trust_env=False)


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.2)
