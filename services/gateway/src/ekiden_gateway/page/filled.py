"""A form as it was filled in, to be shown again with what is wrong beside each field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from ekiden_gateway.kinds import INVALID
from ekiden_gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in, and what is wrong with it, by field."""

    values: Mapping[str, list[str]]
    mistakes: Mapping[str, str]

    def value(self, name: str, otherwise: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else otherwise

    def has(self, name: str, value: str) -> bool:
        return value in self.values.get(name, [])


def mistaken(error: ValidationError | Problem) -> Mapping[str, str]:
    """What is wrong, by the field's name in the body of the route. Raises a Problem of another kind again."""
    if isinstance(error, ValidationError):
        return {".".join(map(str, found["loc"])): str(found["msg"]) for found in error.errors()}
    if error.kind is not INVALID:
        raise error
    rows = cast("list[dict[str, str]]", error.extra.get("errors", []))
    return {row["field"]: row["message"] for row in rows}
