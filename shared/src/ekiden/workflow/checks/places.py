"""Where things are in `workflow.yaml`, for those who find mistakes in it."""

from ekiden.domain.ids import Position
from ekiden.errors import Mistake
from ekiden.workflow.definition import Definition
from ekiden.workflow.lines import Place, line_of
from ekiden.workflow.package import Package


def wrong(package: Package, place: Place, what: str, suggestion: str = "") -> Mistake:
    """A mistake in `workflow.yaml` at the line of a place."""
    return Mistake("workflow.yaml", line_of(package.lines.get("workflow.yaml", {}), place), what, suggestion)


def step_place(position: Position) -> Place:
    return ("phases", position.phase - 1, position.step.lower())


def step_name(definition: Definition, position: Position) -> str:
    """As prompts and paths name a step: `trend_research.think`."""
    return f"{definition.phases[position.phase - 1].name}.{position.step.lower()}"


def step_names(definition: Definition) -> list[str]:
    return [step_name(definition, position) for position in definition.positions()]
