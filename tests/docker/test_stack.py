"""The Compose stack: from a fresh clone to three drafts, scaled under load, taken down and up with searches in flight.

The tests go on from one another, on one stack.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.dashboards import Window, expressions, values
from tests.docker.compose import OURS, Compose, service_of
from tests.docker.conftest import Tell
from tests.docker.yard import Yard, start_provider, yard

SESSIONS = 200
LEFT_IN_THE_MIDDLE = 40
SEARCHES_IN_FLIGHT = 30
TIME_SCALE = 0.05
"""A search takes 3.5 s: long enough to be met in flight."""
REFUSED = [{"kind": "status", "status": 503, "provider": provider, "times": 2} for provider in ("openai", "perplexity")]
"""Without a refused call the panels of errors and retries would be empty, as they should be."""
CAME_UP_SECONDS = 1800.0
RATE_SECONDS = 30
"""Over how long rates are taken, where Prometheus looks every five."""


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    made = Compose(tmp_path_factory.mktemp("compose"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def fresh(compose: Compose, tell: Tell) -> Compose:
    """Built and up, without any key."""
    began = time.monotonic()
    compose("build")
    built = time.monotonic()
    said = compose.up()
    tell(f"build {built - began:.0f} s, up {time.monotonic() - built:.0f} s")
    assert said.startswith("OpenAI is simulated. Perplexity is simulated."), said
    return compose


async def test_a_fresh_clone_without_keys_runs_a_session_on_the_simulator(fresh: Compose, tell: Tell) -> None:
    async with yard(fresh, fresh.url("EKIDEN_SIMULATOR_PORT")) as made:
        began = time.monotonic()
        sessions = await made.until_ended([await made.start("work and AI")])
        tell(f"one session {time.monotonic() - began:.1f} s")
        await made.judge(sessions)


def test_no_container_of_ours_is_root_or_can_write_or_has_a_right(fresh: Compose) -> None:
    containers = fresh.containers(*OURS, "simulator")

    assert sorted(service_of(each) for each in containers) == sorted([*OURS, "simulator"])
    for each in containers:
        host, name = each["HostConfig"], service_of(each)
        assert each["Config"]["User"] == "10001:10001", name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["Privileged"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name


def test_what_is_published_is_published_on_loopback_and_workers_publish_nothing(fresh: Compose) -> None:
    published = {service_of(each): _published(each) for each in fresh.containers()}

    assert {host for hosts in published.values() for host in hosts} == {"127.0.0.1"}
    assert [name for name in ("orchestrator", "gpt-worker", "perplexity-worker") if published[name]] == []


def _published(container: dict[str, Any]) -> list[str]:
    return [each["HostIp"] for bound in container["NetworkSettings"]["Ports"].values() for each in bound or ()]


@pytest_asyncio.fixture(scope="module")
async def real(fresh: Compose) -> AsyncIterator[Yard]:
    """The same stack with both keys set: what stands for the providers is outside of it, as they are."""
    await asyncio.to_thread(start_provider, fresh, TIME_SCALE)
    said = await asyncio.to_thread(fresh.up, "--remove-orphans")
    assert "OpenAI is REAL and costs money (http://provider:8090/v1)." in said, said
    async with yard(fresh, fresh.provider) as made:
        yield made


async def test_under_load_a_service_is_scaled_and_every_replica_is_measured(
    fresh: Compose, real: Yard, tell: Tell
) -> None:
    began = time.monotonic()
    sessions = await real.load("load", SESSIONS)
    scaled, under_way = time.monotonic(), SESSIONS - await real.completed(sessions)
    earlier = await asyncio.to_thread(_workers, fresh)
    await asyncio.to_thread(fresh.up, "--scale", "perplexity-worker=4", "perplexity-worker")
    tell(f"scaled to 4 with {under_way} sessions under way, in {time.monotonic() - scaled:.0f} s")

    assert earlier < await asyncio.to_thread(_workers, fresh), "the first one works on"
    ended = await real.until_ended(sessions, CAME_UP_SECONDS, deciding=True)
    seconds = time.monotonic() - began
    verdict = await real.judge(ended)

    tell(f"{SESSIONS} sessions in {seconds:.0f} s: {verdict}")
    assert verdict.completed == SESSIONS
    await real.until(lambda: _all_scraped(fresh), "Prometheus scrapes every replica")


def _workers(compose: Compose) -> set[str]:
    return {each["Id"] for each in compose.containers("perplexity-worker")}


async def _all_scraped(compose: Compose) -> bool:
    async with httpx.AsyncClient(base_url=compose.url("EKIDEN_PROMETHEUS_PORT"), timeout=10.0) as prometheus:
        found = (await prometheus.get("/api/v1/targets", params={"state": "active"})).json()["data"]["activeTargets"]
    up = [target["labels"]["job"] for target in found if target["health"] == "up"]
    return [up.count(job) for job in (*OURS, "rabbitmq")] == [1, 1, 1, 4, 1]


async def test_down_and_up_with_searches_in_flight_loses_and_buys_nothing(
    fresh: Compose, real: Yard, tell: Tell
) -> None:
    sessions = await real.load("down", LEFT_IN_THE_MIDDLE)

    async def enough() -> bool:
        return await real.in_flight() >= SEARCHES_IN_FLIGHT

    await real.until(enough, "searches are in flight")
    in_flight = await real.in_flight()
    began = time.monotonic()
    await asyncio.to_thread(fresh, "down")
    down = time.monotonic()
    await asyncio.to_thread(fresh.up)
    came_up = time.monotonic()
    ended = await real.until_ended(sessions, CAME_UP_SECONDS, deciding=True)

    tell(f"down {down - began:.0f} s with {in_flight} searches in flight, up again {came_up - down:.0f} s")
    verdict = await real.judge(ended)
    tell(f"all complete {time.monotonic() - came_up:.0f} s later: {verdict}")
    assert (verdict.resends, verdict.gpt_twice) == (0, 0), "what is stopped in order leaves nothing unknown"


async def test_every_panel_of_the_dashboards_has_data(fresh: Compose, real: Yard) -> None:
    await real.poison()
    (await real.simulator.post("/faults", json=REFUSED)).raise_for_status()
    await real.until_ended([await real.start("refused at first")])
    left = list(expressions())

    async def all_have_data() -> bool:
        async with httpx.AsyncClient(base_url=fresh.url("EKIDEN_PROMETHEUS_PORT"), timeout=30.0) as prometheus:
            window = Window(real.began, time.time(), RATE_SECONDS)
            left[:] = [each for each in left if not await values(prometheus, each.text, window)]
        return not left

    with suppress(AssertionError):  # what is empty says more than that something is
        await real.until(all_have_data, "every expression has data", every=5.0)
    assert [str(each) for each in left] == []
