"""A step ordered again shorter keeps of its evidence what its workflow says, and its first prompt keeps all."""

from dataclasses import replace
from typing import Any

from ekiden.domain.ids import NOTHING, Position, Step, TaskName
from ekiden.domain.progress import Order
from ekiden.workflow.package import Workflow
from tests.unit.workflow.tiny import POLICIES, package, prompt, session

HERE = Position(1, Step.INTEGRATE)
FOUND = {"text": "x" * 500, "sources": [{"url": f"https://a.example/{n}", "title": "t"} for n in range(3)]}


def plant(parts: dict[str, Any]) -> None:
    step = parts["document"]["phases"][0]["integrate"]
    step |= {"shorten": {"characters": 100, "sources": 2}, "params": {"seed": 7}}
    told = "{% for s in research.execute.searches %}{{ s.text }}|{{ s.sources | length }}{% endfor %}"
    parts["templates"]["en"]["topics.md.j2"] = prompt(f"{told}|{{{{ shorten.sources }}}}")


def made(workflow: Workflow, *, shorter: int) -> dict[str, object]:
    state = session(**{"1T": {"questions": [{"question": "Why?"}]}, "1E": [FOUND]})
    steps = {**state.steps, HERE.key: replace(state.steps["1T"], result=None, shorter=shorter)}
    order = Order(TaskName(state.id, HERE, 1, 0), None, NOTHING)
    return workflow.prompts.request(replace(state, steps=steps), order)


def test_the_first_prompt_keeps_all() -> None:
    assert made(package(plant).compile(POLICIES), shorter=0)["user"] == f"{'x' * 500}|3|None"


def test_a_shorter_prompt_keeps_what_the_workflow_says() -> None:
    assert made(package(plant).compile(POLICIES), shorter=1)["user"] == f"{'x' * 99}…|2|2"


def test_parameters_are_part_of_the_request() -> None:
    assert made(package(plant).compile(POLICIES), shorter=0)["params"] == {"seed": 7}
