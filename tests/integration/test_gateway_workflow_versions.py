"""What a workflow's form asks of the gateway, and which version a session runs on when its folder changes."""

import copy
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ekiden.store.database import Database
from ekiden.workflow.package import Package
from ekiden_gateway.settings import GatewaySettings
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package


def version_of(number: int, told: str) -> Package:
    """The small workflow with typed inputs and a gate, in a version whose last prompts say `told`."""
    package = small_package()
    document: dict[str, Any] = copy.deepcopy(dict(package.document)) | {"version": number}
    document["inputs"] |= {
        "depth": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "brief": {"type": "boolean"},
        "names": {"type": "list", "max_items": 2, "enum": ["a", "b", "c"]},
    }
    document["gates"] = {"pause_after_phases": [1]}
    english = {name: text.replace("Weigh", told) for name, text in package.templates["en"].items()}
    return Package(document, {"en": english}, package.schemas)


@asynccontextmanager
async def gateway(settings: GatewaySettings, database: Database) -> AsyncGenerator[Site]:
    limits = httpx.Limits(keepalive_expiry=1)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        await until_ready(client)
        yield Site(client, database, url, server)


@pytest.fixture(scope="module")
async def seen(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was answered before the folder changed and the gateway was started anew, and behind that."""
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", version_of(1, "Weigh"))
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    seen: dict[str, Any] = {}
    async with gateway(settings, database) as site:
        seen["old"] = await site.create(start=True, pauseAfterPhases=[], depth=5.0, names=["a", "c"], brief=True)
        await site.step(seen["old"])
        seen["gated"] = await site.create(start=True)
        for _ in range(3):
            await site.step(seen["gated"])
        seen["waiting"] = (await site.get(seen["gated"], "/async-status"))["session"]
        body = {"workflow": "small", "theme": "t"}
        for wrong in ({"depth": 6}, {"depth": "2"}, {"brief": "yes"}, {"names": ["d"]}, {"names": ["a"] * 3}):
            answer = await site.client.post(f"{BASE}/create", json=body | wrong)
            seen[f"refused {wrong}"] = answer.status_code, answer.json()["errors"][0]["field"]
    shutil.rmtree(folder / "small")
    write_package(folder / "small", version_of(2, "Consider"))
    async with gateway(settings, database) as site:
        seen["new"] = await site.create(start=True, pauseAfterPhases=[])
        for name in ("old", "new"):
            await site.finish(seen[name])
            seen[f"{name} session"] = await site.get(seen[name])
            tasks = (await site.get(seen[name], "/tasks"))["tasks"]
            second = next(task["id"] for task in tasks if ".2T." in task["id"])
            seen[f"{name} prompt"] = (await site.get(seen[name], f"/tasks/{second}"))["request"]["user"]
    await database.close()
    return seen


async def test_an_older_session_finishes_on_the_version_it_started_with(seen: dict[str, Any]) -> None:
    assert seen["old session"]["workflow"] != seen["new session"]["workflow"]
    assert seen["old session"]["status"] == "COMPLETED"
    assert seen["old prompt"].startswith("Weigh")


async def test_a_session_of_the_new_folder_runs_on_the_new_version(seen: dict[str, Any]) -> None:
    assert seen["new session"]["status"] == "COMPLETED"
    assert seen["new prompt"].startswith("Consider")


async def test_a_workflow_s_gate_holds_a_session_that_says_nothing_else(seen: dict[str, Any]) -> None:
    assert (seen["waiting"]["status"], seen["waiting"]["waitingReason"]) == ("WAITING", "approval")


async def test_inputs_keep_their_types(seen: dict[str, Any]) -> None:
    kept = {name: value for name, value in seen["old session"]["input"].items() if name != "theme"}
    assert kept == {"depth": 5, "brief": True, "names": ["a", "c"]}


async def test_an_input_of_another_type_or_out_of_bounds_is_refused_by_its_name(seen: dict[str, Any]) -> None:
    refused = [value for key, value in seen.items() if key.startswith("refused")]
    assert refused == [(422, name) for name in ("depth", "depth", "brief", "names", "names")]
