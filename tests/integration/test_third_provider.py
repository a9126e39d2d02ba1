"""A third provider, added by a setting and by the code of docs/add-a-provider.md, which runs as it is printed there.

Real broker, real database; its worker is a process of its own, dies at two of its crash points and is started again.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ekiden.domain.provider import Kind, Provider
from ekiden.settings import WorkerSettings
from ekiden.store.database import Database
from ekiden.worker.service import WorkerService
from ekiden.workflow.package import Package
from ekiden_gateway.views.session import BASE
from ekiden_orchestrator.app import Orchestrator
from ekiden_orchestrator.settings import OrchestratorSettings
from tests.fakes.adapters import InstantGpt
from tests.fakes.archive import USD, FakeArchive
from tests.fakes.providers import one_more
from tests.fakes.workflow import ANSWERS, small_package
from tests.guides import code_blocks
from tests.integration.conftest import Infra
from tests.integration.letters import empty_queues
from tests.integration.test_gateway_http import running, settings_for, until_ready, write_package

GUIDE = Path("docs/add-a-provider.md")
PATIENCE_SECONDS = 120.0
PROVIDERS = "archive:search"
REASON = "the invoice is under discussion"


def searching(name: str, **execute: object) -> Package:
    """The small workflow, under another name, whose searches ask somebody else."""
    package = small_package()
    phases = cast("list[dict[str, Any]]", package.document["phases"])
    phases[0]["execute"] |= execute
    return Package({**package.document, "name": name}, package.templates, package.schemas)


async def until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {PATIENCE_SECONDS:.0f} s: {what}")


@dataclass
class Site:
    """Sessions that search in the archive, and the archive's bill."""

    client: httpx.AsyncClient
    database: Database
    archive: FakeArchive

    async def begin(self, workflow: str, theme: str) -> str:
        body = {"workflow": workflow, "theme": theme, "start": True}
        return (await self.client.post(f"{BASE}/create", json=body)).raise_for_status().json()["sessionId"]

    async def status(self, session: str) -> tuple[str, str | None]:
        shown = (await self.client.get(f"{BASE}/{session}/async-status")).json()["session"]
        return shown["status"], shown["waitingReason"]

    async def until(self, session: str, status: str, reason: str | None = None) -> None:
        async def reached() -> bool:
            return await self.status(session) == (status, reason)

        await until(reached, f"{session} is {status} {reason or ''}")

    async def searches(self, session: str) -> list[dict[str, Any]]:
        tasks = (await self.client.get(f"{BASE}/{session}/tasks")).json()["tasks"]
        return [task for task in tasks if task["stepName"] == "EXECUTE"]

    def bought(self, session: str) -> list[str]:
        return [reference for reference in self.archive.bill if reference.startswith(session)]


@dataclass
class Workers:
    """The guide's worker as processes, one at a time: as a stack does it, whoever dies is replaced."""

    program: Path
    environment: dict[str, str]
    crash_file: Path
    deaths: int = 0

    async def one_after_the_other(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(sys.executable, str(self.program), env=self.environment)
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
            self.deaths += 1

    async def die_at(self, point: str) -> None:
        """Let the next worker that comes there die, and wait until it has."""
        before = self.deaths
        await asyncio.to_thread(self.crash_file.write_text, point)

        async def dead() -> bool:
            return self.deaths > before

        await until(dead, f"a worker died at {point}")


@asynccontextmanager
async def guide_s_workers(infra: Infra, database: str, url: str, folder: Path) -> AsyncGenerator[Workers]:
    (program := folder / "archive_worker.py").write_text(code_blocks(GUIDE, "python")[0])
    ours = {name: value for name, value in os.environ.items() if not name.startswith("EKIDEN_")}
    crash_file = folder / "crash"
    told = {
        "EKIDEN_AMQP_URL": infra.amqp_url,
        "EKIDEN_MONGODB_URL": infra.mongodb_url,
        "EKIDEN_MONGODB_DATABASE": database,
        "EKIDEN_PROVIDERS": PROVIDERS,
        "EKIDEN_ARCHIVE_URL": url,
        "EKIDEN_ARCHIVE_KEY": "the-archive-s-key",
        "EKIDEN_ARCHIVE_POLL_SECONDS": "0.05",
        "EKIDEN_SEARCH_CACHE_SECONDS": "0",
        "EKIDEN_CRASH_FILE": str(crash_file),
        "EKIDEN_LOG_LEVEL": "warning",
    }
    workers = Workers(program, ours | told, crash_file)
    keeping = asyncio.create_task(workers.one_after_the_other())
    try:
        yield workers
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


@dataclass
class Told:
    """What became of three sessions: one collected after a crash, one whose outcome is unknown, one that fell back."""

    site: Site
    collected: str
    unknown: str
    fallen: str


@pytest.fixture(scope="module")
async def told(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    folder = tmp_path_factory.mktemp("third")
    async with AsyncExitStack() as rooms:
        rooms.enter_context(one_more("archive", Kind.SEARCH))
        write_package(folder / "workflows" / "archived", searching("archived", provider="archive", at_most=1))
        falling = searching("falling", fallback=[{"provider": "archive"}])
        write_package(folder / "workflows" / "falling", falling)
        archive = await rooms.enter_async_context(FakeArchive().listening())
        settings = settings_for(infra, workflows_dir=folder / "workflows", providers=PROVIDERS)
        shared: dict[str, Any] = settings.model_dump(
            include={"amqp_url", "mongodb_url", "mongodb_database", "providers"}
        )
        await rooms.enter_async_context(empty_queues(infra))
        _, url = await rooms.enter_async_context(running(settings))
        client = await rooms.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        database = Database(settings.mongodb_url, settings.mongodb_database)
        rooms.push_async_callback(database.close)
        await until_ready(client)
        make = cast("Callable[..., OrchestratorSettings]", OrchestratorSettings)
        worker = cast("Callable[..., WorkerSettings]", WorkerSettings)(**shared, concurrency=8)
        for service in (Orchestrator(make(**shared, fallback_seconds=0)), WorkerService(worker, InstantGpt(ANSWERS))):
            await service.start()
            rooms.push_async_callback(service.stop)
        there = guide_s_workers(infra, settings.mongodb_database, archive.url, folder)
        workers = await rooms.enter_async_context(there)
        site = Site(client, database, archive)

        collected = await site.begin("archived", "collected")
        await workers.die_at("archive:after_run_id_saved")
        unknown = await site.begin("archived", "unknown")
        await workers.die_at("archive:after_post")
        (await client.post("/api/providers/perplexity/open", json={"reason": REASON})).raise_for_status()
        fallen = await site.begin("falling", "fallen")
        await site.until(collected, "COMPLETED")
        await site.until(unknown, "WAITING", "outcome_unknown")
        await site.until(fallen, "COMPLETED")
        yield Told(site, collected, unknown, fallen)


async def test_a_session_arrives_although_its_worker_died_behind_a_run_id(told: Told) -> None:
    searches = await told.site.searches(told.collected)
    assert [(task["status"], task["costUsd"], len(task["submissions"])) for task in searches] == [("COMPLETED", USD, 1)]
    assert {(task["provider"], task["type"]) for task in searches} == {("archive", "PERPLEXITY_SEARCH")}


async def test_what_had_a_run_id_was_bought_once(told: Told) -> None:
    assert told.site.bought(told.collected) == [task["id"] for task in await told.site.searches(told.collected)]


async def test_what_died_before_its_run_id_was_saved_waits_for_a_person(told: Told) -> None:
    searches = await told.site.searches(told.unknown)
    assert [(task["status"], task["runId"], task["atRiskUsd"]) for task in searches] == [
        ("OUTCOME_UNKNOWN", None, 0.05)
    ]
    assert told.site.bought(told.unknown) == [searches[0]["id"]]


async def test_a_search_that_waited_for_an_open_breaker_was_asked_of_the_archive(told: Told) -> None:
    searches = await told.site.searches(told.fallen)
    assert [(task["provider"], task["status"], task["costUsd"]) for task in searches] == [
        *[("perplexity", "FAILED", 0.0)] * 3,
        *[("archive", "COMPLETED", USD)] * 3,
    ]
    assert {task["fallbackReason"] for task in searches[3:]} == {f"ProviderUnavailable: its breaker is open: {REASON}"}


async def test_the_history_says_in_place_of_whom_it_was_asked(told: Told) -> None:
    history = (await told.site.client.get(f"{BASE}/{told.fallen}/events")).json()["events"]
    fell = [event for entry in history for event in entry["events"] if event["type"] == "StepFellBack"]
    assert [event["detail"] for event in fell] == ["perplexity → archive: ProviderUnavailable"]


async def test_the_provider_is_shown_beside_the_others(told: Told) -> None:
    shown = (await told.site.client.get("/api/providers")).json()["items"]
    assert [row["provider"] for row in shown] == [*Provider] == ["gpt", "perplexity", "archive"]
