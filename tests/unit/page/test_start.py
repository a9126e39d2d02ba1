"""The form of a session to come: what it shows is what it sends, and what nobody has touched stays as it was."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ekiden.domain.ids import Position, Step
from ekiden.workflow.inputs import Input
from ekiden.workflow.package import Workflow
from ekiden_gateway.page.filled import Filled
from ekiden_gateway.page.forms import Form
from ekiden_gateway.page.languages import in_language
from ekiden_gateway.page.rendering import environment
from ekiden_gateway.page.screens import start
from ekiden_gateway.views import workflow as views
from tests.unit.page.markup import Markup
from tests.unit.page.sessions import WORKFLOW, visitor

THINK, LAST = Position(1, Step.THINK), Position(2, Step.INTEGRATE)


def gated(*before: str) -> Workflow:
    definition = WORKFLOW.definition
    gates = definition.gates.model_copy(update={"pause_before": before})
    deep = Input(type="boolean", default=True)
    update = {"gates": gates, "inputs": {**definition.inputs, "deep": deep}}
    return replace(WORKFLOW, definition=definition.model_copy(update=update))


def shown(workflow: Workflow, filled: Filled, *set_before: Position, language: str = "en") -> Markup:
    known, t = views.workflow(workflow), visitor(language).words
    phases = [(phase, in_language(phase.title, language, phase.name)) for phase in known.phases]
    fields = environment().get_template("wishes.html.j2").make_module().__dict__["session_fields"]
    return Markup.of(str(fields(t, known, filled, 1.0, start.stops(workflow, set_before), phases)))


def boxes(page: Markup) -> Mapping[str, bool]:
    found = [e.attributes for e in page.all("input") if e.attributes.get("name") == "pause_before"]
    return {box["value"] or "": "checked" in box for box in found}


def ticked(page: Markup) -> bool:
    return any("checked" in e.attributes for e in page.all("input") if e.attributes.get("name") == "input-deep")


def test_a_form_nobody_touched_leaves_the_gates_to_the_workflow() -> None:
    workflow = gated("2.INTEGRATE", "1.THINK")
    page = shown(workflow, Filled(start.gates(workflow), {}))
    assert boxes(page) == {"1.THINK": True, "1.EXECUTE": False, "2.INTEGRATE": True}
    sent = [position for position, on in boxes(page).items() if on]
    assert "pauseBefore" not in start.asked(Form("key", {"pause_before": sent}), workflow)


def test_a_gate_of_the_workflow_can_be_taken_away() -> None:
    assert start.asked(Form("key"), gated("1.THINK"))["pauseBefore"] == []


def test_a_gate_that_a_schedule_has_is_shown_whatever_was_ticked_since() -> None:
    assert boxes(shown(gated(), Filled({}, {}, posted=True), LAST)) == {"1.EXECUTE": False, "2.INTEGRATE": False}


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("en", ["before “Think” of leg 1", "before the searches of leg 1 are bought"]),
        ("ja", ["1区「考える」の前", "1区の検索を買う前"]),
    ],
)
def test_a_gate_says_where_it_is(language: str, labels: list[str]) -> None:
    page = shown(gated(), Filled({}, {}), THINK, language=language)
    assert [text for e in page.all("label") if (text := e.text.strip()) in labels] == labels


def test_a_box_that_was_unticked_stays_so_when_the_form_is_shown_again() -> None:
    assert ticked(shown(gated(), Filled({}, {})))
    assert not ticked(shown(gated(), Filled({}, {}, posted=True)))
    assert ticked(shown(gated(), Filled({"input-deep": ["on"]}, {}, posted=True)))
