"""The workflow's folder by itself: its form, its schemas, its two languages."""

import json
from pathlib import Path

import pytest
import yaml

from ekiden.workflow.check import check
from ekiden.workflow.package import read_package

FOLDER = Path(__file__).parents[2] / "workflows" / "viral-content"
WORKFLOW = yaml.safe_load((FOLDER / "workflow.yaml").read_text("utf-8"))
SCHEMAS = sorted((FOLDER / "schemas").glob("*.json"))
STRICT = {"type", "properties", "required", "items", "enum", "description", "anyOf", "additionalProperties"}


def nodes(schema):
    yield schema
    for child in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        yield from nodes(child)
    if "items" in schema:
        yield from nodes(schema["items"])


def test_the_loader_finds_no_mistake():
    check(read_package(FOLDER))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_accepted_in_strict_mode(path):
    for node in nodes(json.loads(path.read_text("utf-8"))):
        assert set(node) <= STRICT
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_every_schema_is_used_and_every_used_schema_is_there():
    used = {
        step["schema"]
        for phase in WORKFLOW["phases"]
        for step in phase.values()
        if isinstance(step, dict) and "schema" in step
    }
    assert used == {path.stem for path in SCHEMAS}


def test_both_languages_have_the_same_prompts():
    first, *others = [
        {path.name for path in (FOLDER / "prompts" / name).glob("*.j2")} for name in WORKFLOW["languages"]
    ]
    assert all(names == first for names in others)


def test_every_platform_that_may_be_chosen_has_its_conventions_in_both_languages():
    assert set(WORKFLOW["platforms"]) == set(WORKFLOW["inputs"]["platform"]["enum"])
    assert all(set(platform["notes"]) == set(WORKFLOW["languages"]) for platform in WORKFLOW["platforms"].values())


def test_every_platform_says_where_links_go_and_a_thread_holds_what_a_post_holds():
    for platform in WORKFLOW["platforms"].values():
        assert platform["links"] in {"body", "reply", "none"}
        assert platform.get("thread", platform)["max_length"] == platform["max_length"]


def test_a_session_is_thirteen_calls_within_its_budget():
    steps = [
        step for phase in WORKFLOW["phases"] for step in phase.values() if isinstance(step, dict) and "prompt" in step
    ]
    calls = [step.get("at_most", 1) for step in steps]
    assert sum(calls) == 13
    assert sum(step["cap_usd"] * n for step, n in zip(steps, calls, strict=True)) < WORKFLOW["budget_usd"]
