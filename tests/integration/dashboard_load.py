"""A night's worth of trouble in a few seconds, so that every panel of the dashboards has something to show."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import yaml

from ekiden.broker import topology
from ekiden.domain.plan import Provider
from ekiden_native import Stack
from ekiden_native.ports import own_ports

SESSIONS = "/api/viral/cot-session"
SETTINGS = {"EKIDEN_LOG_LEVEL": "info", "EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "3000"}
GPT_QUEUE = topology.TASK_QUEUES[Provider.GPT]
SCRAPED = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker", "rabbitmq", "rabbitmq-queues")
PATIENCE_SECONDS = 120.0


@dataclass
class Site:
    """A native stack with a Prometheus that looks every second."""

    stack: Stack
    api: httpx.AsyncClient
    simulator: httpx.AsyncClient
    prometheus: httpx.AsyncClient

    # Sessions

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
            shown = (await self.api.get(f"{SESSIONS}/{session_id}/async-status")).json()
            return shown["session"]["status"] == status

        await until(reached, f"{session_id} is {status}")

    async def until_searching(self, session_id: str) -> None:
        """Wait until the provider has accepted a search of the session and has not answered it."""

        async def searching() -> bool:
            tasks = (await self.api.get(f"{SESSIONS}/{session_id}/tasks")).json()["tasks"]
            return any(task["status"] == "SUBMITTED" for task in tasks)

        await until(searching, f"{session_id} is searching")

    async def until_seen(self, expression: str) -> None:
        """Wait until Prometheus has a sample for which this holds."""

        async def seen() -> bool:
            answer = await self.prometheus.get("/api/v1/query", params={"query": expression})
            return bool(answer.raise_for_status().json()["data"]["result"])

        await until(seen, expression)

    async def breaker(self, provider: Provider, verb: str) -> None:
        await self._post(f"/api/providers/{provider}/{verb}")

    async def poison(self) -> None:
        """Send a message that nobody can read."""
        async with await aio_pika.connect(self.stack.env["EKIDEN_AMQP_URL"]) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"no JSON"), GPT_QUEUE)

    async def _post(self, path: str, body: object = None) -> httpx.Response:
        return (await self.api.post(path, json=body)).raise_for_status()


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.2)


@asynccontextmanager
async def site(root: Path) -> AsyncGenerator[Site]:
    """A stack of its own, every process of which Prometheus has seen before anything happens."""
    stack = Stack(root, env=SETTINGS | own_ports(), simulate=True, prometheus=True)
    try:
        await asyncio.to_thread(stack.up, PATIENCE_SECONDS)
        async with (
            _client(stack, "GATEWAY") as api,
            _client(stack, "SIMULATOR") as simulator,
            _client(stack, "PROMETHEUS") as prometheus,
        ):
            made = Site(stack, api, simulator, prometheus)
            await _look_every_second(made)
            yield made
    finally:
        await asyncio.to_thread(stack.down, wipe=True)


def _client(stack: Stack, who: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.env[f"EKIDEN_{who}_URL"], timeout=PATIENCE_SECONDS, trust_env=False)


async def _look_every_second(site: Site) -> None:
    """Change the settings of a Prometheus that runs, and wait until it has seen every process of ours."""
    await asyncio.to_thread(site.stack.wait_ready, "prometheus", timeout=PATIENCE_SECONDS)
    path = site.stack.state.data / "prometheus" / "prometheus.yml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    settings["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    path.write_text(yaml.safe_dump(settings), "utf-8")
    await asyncio.to_thread(site.stack.kill, "prometheus", 1, signal.SIGHUP)
    await site.until_seen(f"count(max_over_time(up[1m]) == 1) == {len(SCRAPED)}")


async def bad_night(site: Site) -> None:
    """All that the boards show, side by side where it can be; what waits for a person is left waiting."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_ordinary_sessions(site))
        group.create_task(_sessions_in_trouble(site))
        group.create_task(site.poison())
    await _worker_that_dies(site)
    await _held_back(site)


async def _ordinary_sessions(site: Site) -> None:
    """Three of one theme, so that two of them find its searches in the cache."""
    alike = [await site.create("a theme of many", start=True) for _ in range(3)]
    for session_id in alike:
        await site.until_status(session_id, "COMPLETED")


async def _sessions_in_trouble(site: Site) -> None:
    openai, perplexity = {"provider": "openai", "times": 1}, {"provider": "perplexity", "times": 1}
    refused = {"kind": "rate_limit"}, {"kind": "status", "status": 503}, {"kind": "bad_schema"}
    await site.struck("refused at first", *(openai | fault for fault in refused))
    await site.struck("no searches", perplexity | {"kind": "failed_run", "times": 9})
    await site.struck("who knows", perplexity | {"kind": "accept_then_cut"})
    await site.create("too dear", start=True, budgetUsd=0.02)
    failing = await site.struck("never", openai | {"kind": "refusal"})
    gated = await site.create("look first", start=True, pauseBefore=["1.EXECUTE"])
    await site.until_status(failing, "FAILED")
    await site.until_status(gated, "WAITING")
    await site.cancel(gated)


async def _worker_that_dies(site: Site) -> None:
    """Its searches, which last longer than that, are taken over when their leases run out."""
    session_id = await site.struck("slow", {"kind": "slow_poll", "provider": "perplexity", "seconds": 30})
    await site.until_searching(session_id)
    await asyncio.to_thread(site.stack.kill, "perplexity-worker")


async def _held_back(site: Site) -> None:
    """A breaker that a person opens, then no worker at all: what was in its hands goes back to the queue.

    Killed, because RabbitMQ counts no redelivery of what an orderly stop gave back; and only when a message has been
    in its hands for as long as none is that passes.
    """
    await site.breaker(Provider.GPT, "open")
    await site.until_seen('ekiden_provider_breaker_open{job="gpt-worker"} == 1')
    await site.create("held back", start=True)
    await site.until_seen('min_over_time(ekiden_received_messages_in_process{job="gpt-worker"}[4s]) > 0')
    await site.until_seen(f'rabbitmq_detailed_queue_messages_unacked{{queue="{GPT_QUEUE}"}} > 0')
    await asyncio.to_thread(site.stack.kill, "gpt-worker")
    await asyncio.to_thread(site.stack.stop_service, "gpt-worker")
    await site.until_seen(f'rabbitmq_detailed_queue_messages_ready{{queue="{GPT_QUEUE}"}} > 0')
    await asyncio.to_thread(site.stack.start_service, "gpt-worker")
    await site.breaker(Provider.GPT, "close")
