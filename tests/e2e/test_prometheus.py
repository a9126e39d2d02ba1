"""What the processes export after one session, and the native stack's Prometheus, which finds each by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ekiden.metrics import TABLE
from ekiden_native import Stack

SESSIONS = "/api/viral/cot-session"
MESSAGES = 13 + 11
"""A command for each call, and an event for each step at least: searches that end at the same moment share one."""
MOVED = {
    "sessions_started_total": 1,
    "sessions_finished_total": 1,
    "session_duration_seconds_count": 1,
    "step_duration_seconds_count": 11,
    "step_handoff_seconds_count": 10,
    "provider_requests_total": 13,
    "provider_request_duration_seconds_count": 13,
    "provider_tokens_total": 13,
    "provider_cost_usd_total": 0.01,
    "publish_duration_seconds_count": MESSAGES,
    "received_processed_messages_total": MESSAGES,
    "received_processed_messages_duration_seconds_count": MESSAGES,
    "mongodb_command_duration_seconds_count": 100,
    "http_requests_total": 1,
    "http_request_duration_seconds_count": 1,
}
"""What one session of viral-content adds at least, to all processes together: 11 steps, 13 calls."""
SERVICES = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
async def prometheus(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    await asyncio.to_thread(stack.wait_ready, "prometheus", timeout=60)
    async with httpx.AsyncClient(base_url=stack.env["EKIDEN_PROMETHEUS_URL"], timeout=15, trust_env=False) as client:
        yield client


async def scraped(prometheus: httpx.AsyncClient) -> dict[str, str]:
    """How each target is, by the name of its process."""
    targets: list[dict[str, Any]] = (await prometheus.get("/api/v1/targets")).json()["data"]["activeTargets"]
    return {f"{target['labels']['job']} {target['labels']['instance']}": target["health"] for target in targets}


async def test_every_process_is_scraped_the_broker_included(prometheus: httpx.AsyncClient) -> None:
    expected = {f"{service} {service}-1" for service in SERVICES} | {
        "rabbitmq rabbitmq-1",
        "rabbitmq-queues rabbitmq-1",
    }

    async def all_up() -> bool:
        return await scraped(prometheus) == dict.fromkeys(expected, "up")

    await eventually(all_up)


async def test_a_scaled_replica_is_found_and_a_replica_that_went_is_forgotten(
    stack: Stack, prometheus: httpx.AsyncClient
) -> None:
    async def replicas() -> list[str]:
        return sorted(
            name for name, health in (await scraped(prometheus)).items() if "gpt-w" in name and health == "up"
        )

    async def two() -> bool:
        return await replicas() == ["gpt-worker gpt-worker-1", "gpt-worker gpt-worker-2"]

    async def one() -> bool:
        return await replicas() == ["gpt-worker gpt-worker-1"]

    await asyncio.to_thread(stack.scale, {"gpt-worker": 2})
    try:
        await eventually(two)
    finally:
        await asyncio.to_thread(stack.scale, {"gpt-worker": 1})
    await eventually(one)


async def exported(stack: Stack) -> dict[str, list[Metric]]:
    """What each process exports, by the name of its service."""
    targets = dict(target.split("=") for target in stack.env["EKIDEN_METRICS_TARGETS"].split())
    async with httpx.AsyncClient(timeout=15, trust_env=False) as client:
        pages = {name: (await client.get(f"http://{address}/metrics")).text for name, address in targets.items()}
    return {name.rpartition("-")[0]: list(text_string_to_metric_families(page)) for name, page in pages.items()}


async def totals(stack: Stack) -> dict[str, float]:
    """The sum of each of our series over its labels and all processes."""
    sums: dict[str, float] = {}
    for families in (await exported(stack)).values():
        for sample in (sample for family in families for sample in family.samples):
            name = sample.name.removeprefix("ekiden_")
            sums[name] = sums.get(name, 0.0) + sample.value
    return sums


async def test_every_process_exports_the_metrics_of_its_service_and_no_others(stack: Stack) -> None:
    found = {
        service: {f"{family.name}{'_total' * (family.type == 'counter')}" for family in families}
        for service, families in (await exported(stack)).items()
    }

    for service in SERVICES:
        ours = {name for name in found[service] if name.startswith("ekiden_")}
        assert ours == {metric.name for metric in TABLE.metrics if service in metric.services}
        assert "process_resident_memory_bytes" in found[service]


async def test_a_session_moves_the_metrics_that_count_its_work(stack: Stack, api: httpx.AsyncClient) -> None:
    before = await totals(stack)
    asked = {"theme": "metrics", "style": "insight", "platform": "twitter", "start": True}
    session_id = (await api.post(f"{SESSIONS}/create", json=asked)).raise_for_status().json()["sessionId"]

    async def completed() -> bool:
        status = (await api.get(f"{SESSIONS}/{session_id}/async-status")).json()["session"]["status"]
        return status == "COMPLETED"

    await eventually(completed, 90)
    after: dict[str, float] = {}

    async def counted() -> bool:  # an acknowledgement may come behind what it acknowledges
        after.update(await totals(stack))
        return all(after[name] - before.get(name, 0.0) >= least for name, least in MOVED.items())

    try:
        await eventually(counted, 15)
    except AssertionError:
        short = {name: after[name] - before.get(name, 0.0) for name in MOVED}
        pytest.fail(f"{ {name: moved for name, moved in short.items() if moved < MOVED[name]} }")


async def test_the_allowed_rate_is_told_also_when_there_is_none(stack: Stack) -> None:
    limits = [
        sample
        for families in (await exported(stack)).values()
        for family in families
        for sample in family.samples
        if sample.name == "ekiden_provider_rate_limit_per_second"
    ]

    assert {(sample.labels["provider"], sample.value) for sample in limits} == {("gpt", inf), ("perplexity", inf)}
