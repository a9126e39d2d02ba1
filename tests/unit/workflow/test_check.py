"""Every mistake in a workflow is found before it runs or costs: one is planted in each test."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ekiden.errors import WorkflowInvalid
from ekiden.workflow.check import check
from ekiden.workflow.package import Package, read_package
from tests.unit.workflow.tiny import gpt, listed, package, prompt, strict

FOLDER = Path(__file__).parents[3] / "workflows" / "viral-content"
Parts = dict[str, Any]
Plant = Callable[[Parts], object]


def research(parts: Parts) -> dict[str, Any]:
    return parts["document"]["phases"][0]


def says(name: str, text: str) -> Plant:
    return lambda parts: parts["templates"]["en"].update({f"{name}.md.j2": text})


def schema(name: str, value: object) -> Plant:
    return lambda parts: parts["schemas"].update({name: value})


def searches(**fields: object) -> Plant:
    return lambda parts: research(parts)["execute"].update(fields)


def thinks(**fields: object) -> Plant:
    return lambda parts: research(parts)["think"].update(fields)


def document(**fields: object) -> Plant:
    return lambda parts: parts["document"].update(fields)


def draft(path: str) -> Plant:
    return lambda parts: parts["document"]["drafts"]["fields"].update({"content": path})


MISTAKES: list[tuple[str, Plant, str]] = [
    ("an unknown field", document(colour="red"), "colour: unknown key"),
    ("a missing field", lambda p: p["document"].pop("budget_usd"), "budget_usd: is required"),
    ("a budget of nothing", document(budget_usd=0), "budget_usd: Input should be greater than 0"),
    (
        "an unknown provider",
        thinks(provider="oracle"),
        "think.provider: there is no provider 'oracle'; there are gpt, perplexity",
    ),
    ("no phases", document(phases=[]), "phases: Tuple should have at least 1 item"),
    ("a name of the wrong form", document(name="Tiny Workflow"), "name: String should match pattern"),
    ("a title in no language", document(title={}), "title has no text in 'en'"),
    (
        "a phase without a title",
        lambda p: research(p).update(title={"ja": "調査"}),
        "phases.research.title has no text",
    ),
    ("two phases of one name", lambda p: p["document"]["phases"][1].update(name="research"), "'research' is taken"),
    ("a phase with a reserved name", lambda p: research(p).update(name="input"), "'input' is taken"),
    ("a prompt that is missing", thinks(prompt="nowhere"), "prompts/en/nowhere.md.j2 is missing"),
    ("a schema that is missing", thinks(schema="nowhere"), "schemas/nowhere.json is missing"),
    ("a GPT step without a schema", lambda p: research(p)["think"].pop("schema"), "a GPT step needs a schema"),
    ("a search with a schema", searches(schema="plan"), "a search has no schema"),
    ("a fan-out over nothing", lambda p: research(p)["execute"].pop("for_each"), "EXECUTE needs for_each"),
    (
        "a fan-out over an unknown step",
        searches(for_each="nowhere.think.questions"),
        "there is no step 'nowhere.think'",
    ),
    ("a fan-out over a later step", searches(for_each="writing.think.plan"), "'writing.think' comes later"),
    ("a fan-out over no list", searches(for_each="research.think.reading"), "has no list 'reading'"),
    ("a THINK that fans out", thinks(for_each="research.think.questions"), "only EXECUTE fans out"),
    ("a THINK that searches", thinks(provider="perplexity"), "THINK and INTEGRATE ask gpt"),
    ("an EXECUTE by GPT", lambda p: research(p).update(execute=gpt("plan")), "EXECUTE searches with perplexity"),
    ("a broken template", says("plan", "{% block system %}"), "prompts/en/plan.md.j2:1: Unexpected end of template"),
    (
        "an unknown variable",
        says("plan", prompt("\n{{ colour }}")),
        "prompts/en/plan.md.j2:2: unknown variable 'colour'",
    ),
    ("a later phase's result", says("plan", prompt("{{ writing.think.plan }}")), "unknown attribute writing.think"),
    (
        "a later step's result",
        says("plan", prompt("{{ research.integrate }}")),
        "plan.md.j2:1: unknown attribute research.integrate",
    ),
    (
        "a result's unknown field",
        says("outline", prompt("{{ research.integrate.moods }}")),
        "unknown attribute research.integrate.moods",
    ),
    (
        "a field of an item that no schema has",
        says("outline", prompt("{{ research.integrate.topics[0].mood }}")),
        "mood",
    ),
    (
        "an include that is missing",
        says("plan", prompt("{% include '_rules.md.j2' %}")),
        "cannot be rendered: there is no _rules.md.j2",
    ),
    (
        "a mistake in the shorter form",
        says("posts", prompt("{{ nothing.x if shorter }}")),
        "unknown variable 'nothing'",
    ),
    (
        "a mistake that only one choice shows",
        says("outline", prompt("{{ platform.hashtags[5] if input.platform == 'note' }}")),
        "outline.md.j2:1: cannot be rendered",
    ),
    (
        "a platform without conventions",
        lambda p: p["document"]["platforms"].pop("note"),
        "inputs.platform: 'note' has no conventions in platforms",
    ),
    ("an unsafe expression", says("plan", prompt("{{ ''.__class__.__mro__ }}")), "cannot be rendered"),
    ("an unknown filter", says("plan", prompt("{{ today | shout }}")), "No filter named 'shout'"),
    ("a prompt without a user block", says("plan", "{% block system %}x{% endblock %}"), "has no block 'user'"),
    (
        "a schema that allows more",
        schema("plan", {**strict(), "additionalProperties": True}),
        "additionalProperties: false",
    ),
    ("an optional property", schema("outline", {**strict(plan={"type": "string"}), "required": []}), "missing: plan"),
    ("a required stranger", schema("outline", {**strict(), "required": ["ghost"]}), "not a property: ghost"),
    (
        "a keyword the provider refuses",
        schema("outline", strict(plan={"type": "string", "minLength": 1})),
        "'minLength'",
    ),
    (
        "a refused keyword deep inside",
        schema("plan", strict(questions=listed(question={"format": "uri"}))),
        "$.questions[].question",
    ),
    ("a schema that is a list", schema("outline", ["plan"]), "is no JSON Schema"),
    ("a type that does not exist", schema("outline", strict(plan={"type": "txt"})), "is no JSON Schema"),
    ("an answer that is no object", schema("outline", {"type": "string"}), "the top of an answer must be an object"),
    ("an array of anything", schema("outline", strict(plan={"type": "array"})), "$.plan: an array needs items"),
    ("a schema's name with a dot", schema("out.line", strict()), "'out.line' is no name for a schema"),
    ("a draft from an unknown step", draft("nowhere.integrate.posts.content"), "no step 'nowhere.integrate'"),
    ("a draft from an unknown list", draft("writing.integrate.poems.content"), "has no list 'poems'"),
    ("a draft from an unknown field", draft("writing.integrate.posts.rhyme"), "posts has no field 'rhyme'"),
    ("a draft without its key", lambda p: p["document"]["drafts"].update(key="nr"), "has no field 'nr'"),
    ("a key that is no number", lambda p: p["document"]["drafts"].update(key="content"), "is no integer"),
    (
        "a default that cannot be chosen",
        lambda p: p["document"]["inputs"]["platform"].update(default="myspace"),
        "the default 'myspace' is none of its choices",
    ),
    (
        "a platform's notes in another language only",
        lambda p: p["document"]["platforms"]["twitter"].update(notes={"ja": "短く"}),
        "platforms.twitter.notes has no text in 'en'",
    ),
]


def mistakes(broken: Package) -> str:
    with pytest.raises(WorkflowInvalid) as caught:
        check(broken)
    return str(caught.value)


def test_the_tiny_workflow_has_no_mistake() -> None:
    check(package())


@pytest.mark.parametrize(("plant", "told"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_planted_mistake_is_found(plant: Plant, told: str) -> None:
    assert told in mistakes(package(plant))


def test_all_mistakes_are_told_at_once() -> None:
    def plant(parts: Parts) -> None:
        says("plan", prompt("{{ colour }}"))(parts)
        draft("nowhere.integrate.posts.content")(parts)
        document(title={})(parts)

    assert len(mistakes(package(plant)).splitlines()) == 3


# ── on disk ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "viral-content")


def test_the_shipped_workflow_has_no_mistake() -> None:
    check(read_package(FOLDER))


def test_a_folder_without_a_workflow_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkflowInvalid, match=r"workflow\.yaml: cannot be read"):
        read_package(tmp_path)


def test_broken_yaml_is_found_at_its_line(folder: Path) -> None:
    (folder / "workflow.yaml").write_text("name: x\ntitle: {ja: [\n")
    with pytest.raises(WorkflowInvalid, match=r"workflow\.yaml:3: is no YAML"):
        read_package(folder)


def test_yaml_that_is_no_mapping_is_found(folder: Path) -> None:
    (folder / "workflow.yaml").write_text("- a list\n")
    with pytest.raises(WorkflowInvalid, match="is not a mapping"):
        read_package(folder)


def test_broken_json_is_found_at_its_line(folder: Path) -> None:
    (folder / "schemas" / "topics.json").write_text('{\n  "type": \n}')
    with pytest.raises(WorkflowInvalid, match=r"schemas/topics\.json:3: is no JSON"):
        read_package(folder)


def test_a_deleted_prompt_is_found(folder: Path) -> None:
    (folder / "prompts" / "ja" / "content.think.md.j2").unlink()
    assert "prompts/ja/content.think.md.j2 is missing" in mistakes(read_package(folder))


def test_a_deleted_part_of_a_prompt_is_found(folder: Path) -> None:
    (folder / "prompts" / "en" / "_brief.md.j2").unlink()
    assert "cannot be rendered" in mistakes(read_package(folder))


def test_a_renamed_field_is_found_where_a_prompt_uses_it(folder: Path) -> None:
    path = folder / "schemas" / "topics.json"
    path.write_text(path.read_text("utf-8").replace('"whyNow"', '"why"'), "utf-8")
    assert "whyNow" in mistakes(read_package(folder))
