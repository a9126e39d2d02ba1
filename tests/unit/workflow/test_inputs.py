"""An input takes what its type and limits say, and says why it takes nothing else."""

import pytest
from pydantic import ValidationError

from ekiden.workflow.inputs import Input

GIVEN = Input.model_validate
TEXT = GIVEN({"max_length": 3})
NUMBER = GIVEN({"type": "integer", "minimum": 1, "maximum": 5, "default": 2})
SWITCH = GIVEN({"type": "boolean"})
LIST = GIVEN({"type": "list", "required": True, "max_items": 2, "max_length": 3})


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        (TEXT, "tea", "tea"),
        (NUMBER, 5, 5),
        (NUMBER, 5.0, 5),
        (SWITCH, True, True),
        (LIST, ["a", "b"], ["a", "b"]),
        (GIVEN({"type": "integer", "enum": [3, 5], "default": 3}), 5, 5),
        (GIVEN({"type": "list", "enum": ["a", "b"]}), ["b"], ["b"]),
        (GIVEN({"type": "list"}), [], []),
    ],
)
def test_a_value_that_fits_is_kept(field: Input, value: object, kept: object) -> None:
    found = field.accept(value)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        (TEXT, 5, "must be a text"),
        (TEXT, " ", "must not be empty"),
        (TEXT, "teas", "must have at most 3 characters"),
        (TEXT, "\ud800", "is no valid Unicode text"),
        (NUMBER, 0, "must be from 1 to 5"),
        (NUMBER, True, "must be an integer"),
        (NUMBER, 2.5, "must be an integer"),
        (NUMBER, float("inf"), "must be an integer"),
        (NUMBER, "2", "must be an integer"),
        (SWITCH, 1, "must be true or false"),
        (LIST, "a", "must be a list"),
        (LIST, [], "must not be empty"),
        (LIST, ["a", 1], "must be a list of texts"),
        (LIST, ["a", "b", "c"], "must have at most 2 items"),
        (LIST, ["abcd"], "must have at most 3 characters"),
        (GIVEN({"type": "list", "enum": ["a", "b"]}), ["c"], "must be one of a, b"),
        (GIVEN({"type": "integer", "enum": [3, 5], "default": 3}), 4, "must be one of 3, 5"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_reason(field: Input, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        field.accept(value)


@pytest.mark.parametrize(
    ("given", "default"),
    [({}, ""), ({"type": "boolean"}, False), ({"type": "list"}, []), ({"type": "integer", "default": 4}, 4)],
)
def test_a_type_has_its_own_empty_default(given: dict[str, object], default: object) -> None:
    assert GIVEN(given).default == default


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"type": "integer"}, "needs a default"),
        ({"minimum": 1}, "minimum is no limit of the type string"),
        ({"type": "boolean", "enum": ["a"]}, "enum is no limit of the type boolean"),
        ({"type": "integer", "minimum": 5, "maximum": 1, "default": 3}, "minimum 5 is above maximum 1"),
        ({"type": "integer", "enum": ["a"], "default": 1}, "choices must be of the type integer"),
        ({"type": "integer", "maximum": 1, "default": 3}, "the default 3 must be from"),
        ({"enum": ["a"], "default": "b"}, "the default 'b' is none of its choices"),
        ({"enum": ["a"]}, "the default '' is none of its choices"),
        ({"type": "list", "default": "a"}, "the default 'a' must be a list"),
        ({"type": "date"}, "type"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_input_that_contradicts_itself_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        GIVEN(given)
