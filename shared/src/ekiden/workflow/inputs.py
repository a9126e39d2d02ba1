"""An input of a workflow: its type and its limits, and the values it takes."""

from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from ekiden.domain.session import InputValue
from ekiden.domain.told import told

MOST_CHARACTERS = 100_000
MOST_LISTED = 100
MOST_NUMBER = 2**53 - 1
"""The largest integer that every reader of JSON keeps."""
_LIMITS = {
    "string": frozenset({"enum", "max_length"}),
    "integer": frozenset({"enum", "minimum", "maximum"}),
    "boolean": frozenset[str](),
    "list": frozenset({"enum", "max_length", "max_items"}),
}
_TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "list": list}
_EMPTY: dict[str, InputValue] = {"string": "", "boolean": False, "list": []}


class Input(BaseModel):
    """One thing `create` accepts. Without `required` the default is taken; an integer needs one of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["string", "integer", "boolean", "list"] = Field(
        default="string", description="`list` is a list of strings"
    )
    required: bool = Field(default=False, description="`create` refuses a session without it")
    default: StrictStr | StrictBool | StrictInt | list[StrictStr] = Field(
        default="",
        description="The value when it is left out: an empty text or list and `false`, unless said otherwise",
    )
    enum: tuple[StrictStr | StrictInt, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_LISTED,
        description="The only values it takes; of a `list`, the only items",
    )
    max_length: int = Field(
        default=2000, gt=0, le=MOST_CHARACTERS, description="Characters of a text, or of each item of a list"
    )
    minimum: int = Field(default=-MOST_NUMBER, ge=-MOST_NUMBER, le=MOST_NUMBER, description="Least integer")
    maximum: int = Field(default=MOST_NUMBER, ge=-MOST_NUMBER, le=MOST_NUMBER, description="Largest integer")
    max_items: int = Field(default=20, gt=0, le=MOST_LISTED, description="Most items of a list")

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, given: object) -> object:
        """The default of a type that says none; only a `string` is empty as the form says."""
        if isinstance(given, dict):
            fields = cast("dict[str, object]", given)
            empty = _EMPTY.get(str(fields.get("type", "string")))
            return fields if "default" in fields or empty is None else {**fields, "default": empty}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> "Input":
        limits = self.model_fields_set - {"type", "required", "default"}
        if strange := sorted(limits - _LIMITS[self.type]):
            raise ValueError(f"{strange[0]} is no limit of the type {self.type}")
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        wanted = int if self.type == "integer" else str
        if any(type(choice) is not wanted for choice in self.enum or ()):
            raise ValueError(f"its choices must be of the type {'integer' if wanted is int else 'string'}")
        if self.required:
            return self
        if self.type == "integer" and "default" not in self.model_fields_set:
            raise ValueError("an integer that may be left out needs a default")
        if self.default != _EMPTY.get(self.type) or (self.enum and self.type == "string"):
            try:
                self.accept(self.default)
            except ValueError as error:
                why = "is none of its choices" if self.enum else str(error)
                raise ValueError(f"the default {self.default!r} {why}") from error
        return self

    def accept(self, value: object) -> InputValue:
        """The value as a session keeps it. Raises ValueError with what it must be."""
        if self.type == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON does not tell 2.0 from 2
        if type(value) is not _TYPES[self.type]:
            raise ValueError(_MUST_BE[self.type])
        if isinstance(value, list):
            return self._list(cast("list[object]", value))
        if isinstance(value, str):
            return self._text(value)
        number = cast("int", value)
        if self.type == "integer" and not self.minimum <= number <= self.maximum:
            raise ValueError(told("must be from {least} to {most}", least=self.minimum, most=self.maximum))
        self._chosen(number)
        return number

    def _list(self, items: list[object]) -> list[str]:
        if self.required and not items:
            raise ValueError(told("must not be empty"))
        if len(items) > self.max_items:
            raise ValueError(told("must have at most {max_items} items", max_items=self.max_items))
        if any(not isinstance(item, str) for item in items):
            raise ValueError(told("must be a list of texts"))
        return [self._text(cast("str", item)) for item in items]

    def _text(self, text: str) -> str:
        if not text.strip():
            raise ValueError(told("must not be empty"))
        if len(text) > self.max_length:
            raise ValueError(told("must have at most {max_length} characters", max_length=self.max_length))
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(told("is no valid Unicode text"))
        self._chosen(text)
        return text

    def _chosen(self, value: str | int) -> None:
        if self.enum is not None and value not in self.enum:
            raise ValueError(told("must be one of {options}", options=tuple(map(str, self.enum))))


_MUST_BE = {
    "string": told("must be a text"),
    "integer": told("must be an integer"),
    "boolean": told("must be true or false"),
    "list": told("must be a list"),
}
