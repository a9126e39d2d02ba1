"""Workflows other than the default one, from their folder to their drafts, on a whole stack."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiden_native import Stack
from tests.guides import code_blocks, files

GUIDE = Path("docs/write-a-workflow.md")
START = 'EKIDEN_WORKFLOWS_DIR="$PWD/my-workflows" STACK=native make up\n'
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def environment(stack: Stack, machine: dict[str, str]) -> dict[str, str]:
    return machine | {"EKIDEN_STATE_DIR": str(stack.state.root)}


@pytest.fixture(scope="module")
def brief(environment: dict[str, str]) -> Mapping[str, Any]:
    """A session of market-brief that ran to its end, as `run --json` tells it."""
    words = ["電動アシスト自転車", "--workflow", "market-brief", "--input", "region=北海道", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ekiden_cli", "run", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_market_brief_searches_in_both_phases_and_ends_in_one_brief(brief: Mapping[str, Any]) -> None:
    (draft,) = brief["drafts"]

    assert brief["session"]["workflow"].startswith("market-brief@")
    assert {row["provider"]: row["calls"] for row in brief["receipt"]["providers"]} == {"GPT": 4, "Perplexity": 5}
    assert "電動アシスト自転車" in draft["title"]
    assert "## " in draft["content"]
    assert draft["keyPoints"]


async def test_what_the_brief_cites_is_what_its_searches_returned(
    brief: Mapping[str, Any], api: httpx.AsyncClient
) -> None:
    session, (draft,) = brief["sessionId"], brief["drafts"]
    tasks = (await api.get(f"/api/viral/cot-session/{session}/tasks")).json()["tasks"]
    searches = [task for task in tasks if task["type"] == "PERPLEXITY_SEARCH"]
    found = {
        phase: set(re.findall(r"https://[^\s\"<>）)]+", json.dumps(answers, ensure_ascii=False)))
        for phase in (1, 2)
        if (answers := [task["response"] for task in searches if task["phaseNumber"] == phase])
    }
    cited = {source["url"] for source in draft["sources"]}

    assert cited <= found[1] | found[2]
    assert cited & found[1]
    assert cited & found[2]
    assert set(re.findall(r"https://\S+", draft["content"])) <= cited
    assert all(source["date"] for source in draft["sources"])


async def test_a_brief_is_on_its_page_and_its_inputs_are_in_the_start_form(
    brief: Mapping[str, Any], api: httpx.AsyncClient
) -> None:
    page = (await api.get(f"/sessions/{brief['sessionId']}", headers={"Accept-Language": "ja"})).text
    form = (await api.get("/start?workflow=market-brief", headers={"Accept-Language": "ja"})).text

    assert brief["drafts"][0]["title"] in page
    assert brief["drafts"][0]["outlook"] in page
    assert re.search(r'<label for="input-market">\s*市場', form)
    assert 'name="input-region"' in form


def test_the_guide_is_followed_to_the_letter(desk: Path, environment: dict[str, str]) -> None:
    """Its files are written and its stack is started by the fixtures; here is every command it shows, in its order."""
    commands = code_blocks(GUIDE, "sh")
    assert START in commands
    assert all((desk / name).read_text("utf-8") == text for name, text in files(GUIDE).items())

    told = [_followed(command, desk, environment) for command in commands if command != START]

    _, looked, ran = told
    assert "my-workflows/digest: no mistakes" in looked
    assert "research" in looked
    assert ran.count("--- Draft") == 3
    assert ran.lower().count("urban beekeeping") >= 3
    assert "https://" in ran


def _followed(command: str, desk: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=desk,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
