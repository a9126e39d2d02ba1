"""A night's worth of trouble in a few seconds, so that every panel of the dashboards has something to show."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from ekiden.domain.plan import Provider
from ekiden_native import Stack
from ekiden_native.ports import own_ports
from tests.site import GPT_QUEUE, PATIENCE_SECONDS, Site, client_of, until

SETTINGS = {"EKIDEN_LOG_LEVEL": "info", "EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "3000"}
SCRAPED = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker", "rabbitmq", "rabbitmq-queues")


@dataclass
class Watched(Site):
    """A native stack with a Prometheus that looks every second."""

    prometheus: httpx.AsyncClient

    async def until_seen(self, expression: str) -> None:
        """Wait until Prometheus has a sample for which this holds."""

        async def seen() -> bool:
            answer = await self.prometheus.get("/api/v1/query", params={"query": expression})
            return bool(answer.raise_for_status().json()["data"]["result"])

        await until(seen, expression)


@asynccontextmanager
async def watched(root: Path) -> AsyncGenerator[Watched]:
    """A stack of its own, every process of which Prometheus has seen before anything happens."""
    stack = Stack(root, env=SETTINGS | own_ports(), simulate=True, prometheus=True)
    try:
        await asyncio.to_thread(stack.up, PATIENCE_SECONDS)
        async with (
            client_of(stack, "GATEWAY") as api,
            client_of(stack, "SIMULATOR") as simulator,
            client_of(stack, "PROMETHEUS") as prometheus,
        ):
            made = Watched(stack, api, simulator, prometheus)
            await _look_every_second(made)
            yield made
    finally:
        await asyncio.to_thread(stack.down, wipe=True)


async def _look_every_second(site: Watched) -> None:
    """Change the settings of a Prometheus that runs, and wait until it has seen every process of ours."""
    await asyncio.to_thread(site.stack.wait_ready, "prometheus", timeout=PATIENCE_SECONDS)
    path = site.stack.state.data / "prometheus" / "prometheus.yml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    settings["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    path.write_text(yaml.safe_dump(settings), "utf-8")
    await asyncio.to_thread(site.stack.kill, "prometheus", 1, signal.SIGHUP)
    await site.until_seen(f"count(max_over_time(up[1m]) == 1) == {len(SCRAPED)}")


async def bad_night(site: Watched) -> None:
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


async def _worker_that_dies(site: Watched) -> None:
    """Its searches, which last longer than that, are taken over when their leases run out."""
    session_id = await site.struck("slow", {"kind": "slow_poll", "provider": "perplexity", "seconds": 30})
    await site.until_searching(session_id)
    await asyncio.to_thread(site.stack.kill, "perplexity-worker")


async def _held_back(site: Watched) -> None:
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
