"""A form as it was filled in, to be shown again with what is wrong beside each field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ekiden.domain.told import told
from ekiden_gateway.kinds import INVALID
from ekiden_gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in, and what is wrong with it, by field.

    Of a form that was posted, a box that is not there was unticked; before, it is as its field says.
    """

    values: Mapping[str, list[str]]
    mistakes: Mapping[str, str]
    posted: bool = False

    def value(self, name: str, otherwise: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else otherwise

    def has(self, name: str, value: str) -> bool:
        return value in self.values.get(name, [])


def mistaken(error: ValidationError | Problem) -> Mapping[str, str]:
    """What is wrong, by the field's name in the body of the route. Raises a Problem of another kind again."""
    if isinstance(error, ValidationError):
        return {".".join(map(str, found["loc"])): _said(found) for found in error.errors()}
    if error.kind is not INVALID:
        raise error
    rows = cast("list[dict[str, str]]", error.extra.get("errors", []))
    return {row["field"]: row["message"] for row in rows}


def _said(found: ErrorDetails) -> str:
    """What pydantic says of a field, in sentences that another language has."""
    given = found.get("ctx", {})
    match found["type"]:
        case "missing":
            return told("is required")
        case "string_too_short":
            return told("must have at least {min_length} characters", **given)
        case "string_too_long":
            return told("must have at most {max_length} characters", **given)
        case "too_short":
            return told("must have at least {min_length} entries", **given)
        case "too_long":
            return told("must have at most {max_length} entries", **given)
        case "greater_than":
            return told("must be more than {gt}", **given)
        case "greater_than_equal":
            return told("must be {ge} or more", **given)
        case "less_than":
            return told("must be less than {lt}", **given)
        case "less_than_equal":
            return told("must be {le} or less", **given)
        case "enum" | "literal_error":
            return told("must be one of {expected}", **given)
        case "int_type" | "int_parsing" | "int_from_float":
            return told("is no whole number")
        case "float_type" | "float_parsing" | "finite_number":
            return told("is no number")
        case _:
            return str(found["msg"])
