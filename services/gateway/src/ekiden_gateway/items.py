"""Edited items: what a person puts in place of the planned ones must be what the prompts expect."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from jsonschema import Draft202012Validator

from ekiden.domain.forecast import items
from ekiden.domain.ids import Position
from ekiden.domain.session import Session
from ekiden.workflow.package import Workflow
from ekiden_gateway.models.requests import Item
from ekiden_gateway.problems import invalid


def edited(
    session: Session, position: Position | None, given: Sequence[Item], workflow: Workflow
) -> tuple[object, ...]:
    """The items as the step's prompts need them. Raises Problem naming the item and its field.

    A text is an item's `question`; a field left out keeps what was planned for the item at that place. A step
    that fans out over nothing takes them as they are: the decision refuses them.
    """
    if position is None or workflow.plan.by_position[position].for_each is None:
        return tuple(given)
    most = workflow.plan.by_position[position].at_most
    if len(given) > most:
        raise invalid("input", f"{position} takes at most {most} items")
    planned = items(session, position, workflow.plan)
    checker = Draft202012Validator(workflow.prompts.item_schema(position))
    made: list[object] = []
    for index, item in enumerate(given):
        whole = _completed(item, planned[min(index, len(planned) - 1)] if planned else {})
        for error in checker.iter_errors(cast("Any", whole)):
            place = ".".join(["input", str(index), *(str(part) for part in error.path)])
            raise invalid(place, error.message)
        made.append(whole)
    return tuple(made)


def fan_out_of(phase: int, workflow: Workflow) -> Position | None:
    """The step of a phase that has items."""
    steps = (step.position for step in workflow.plan.steps if step.position.phase == phase and step.for_each)
    return next(steps, None)


def _completed(item: Item, planned: object) -> object:
    if not isinstance(planned, Mapping):
        return item
    said = {"question": item} if isinstance(item, str) else item
    return {**cast("Mapping[str, object]", planned), **said}
