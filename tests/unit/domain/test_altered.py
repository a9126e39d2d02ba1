"""A value altered is the value replaced, and the one it was made from is as it was."""

from dataclasses import fields, replace

import pytest

from ekiden.domain.altered import altered
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.session import Money, Session, Status, StepState
from tests.unit.domain.small_plan import happy_end, new_session

STEP = StepState(generation=2, tasks=(TaskId("a"),), result={"n": 1})


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (new_session(), {"status": Status.CANCELLED, "steps": {"1T": STEP}}),
        (happy_end().session, {"version": 7, "position": None}),
        (happy_end().session, {}),
        (STEP, {"tasks": (), "result": None}),
        (Money(Micros(5)), {"saved": Micros(1)}),
    ],
)
def test_a_value_altered_is_the_value_replaced(value: Session | StepState | Money, changed: dict[str, object]) -> None:
    before = repr(value)
    assert altered(value, **changed) == replace(value, **changed)
    assert type(altered(value, **changed)) is type(value)
    assert repr(value) == before


def test_a_value_altered_can_be_altered_and_compared_like_any_other() -> None:
    assert altered(altered(STEP, shorter=1), shorter=0) == STEP
    assert repr(altered(STEP, shorter=1)) == repr(replace(STEP, shorter=1))


def test_a_field_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="StepState has no colour"):
        altered(STEP, colour="red")


@pytest.mark.parametrize("value", [happy_end().session, STEP, Money(Micros(5))])
def test_what_is_altered_only_holds_its_fields(value: Session | StepState | Money) -> None:
    """Nothing is computed when one is made that would have to be computed again."""
    assert set(vars(value)) == {field.name for field in fields(value)}
    assert not hasattr(value, "__post_init__")
