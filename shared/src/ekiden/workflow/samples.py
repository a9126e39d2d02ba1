"""Sample answers, made from a workflow's own schemas."""

from collections.abc import Mapping
from typing import cast

MOST_VALUES = 5_000
"""Of the items of lists in one answer; beyond them a list has one item, so that lists in lists do not multiply."""


def sample(schema: Mapping[str, object], *, nulls: bool = False) -> object:
    """The smallest answer that fits a schema and fills all of it; with `nulls` wherever null is allowed.

    A list at an answer's top has as many items as make every choice within them come up once, one further in has two.
    A text is its field's `name`. The schema has no mistake.
    """
    return _Maker(nulls).value(schema, "text", 0, 0)


class _Maker:
    def __init__(self, nulls: bool) -> None:
        self._nulls = nulls
        self._left = MOST_VALUES

    def value(self, schema: Mapping[str, object], name: str, number: int, depth: int) -> object:
        """`number` says which choice an item has; `depth` counts the lists around it."""
        if "anyOf" in schema:
            choices = cast("list[Mapping[str, object]]", schema["anyOf"])
            null = [choice for choice in choices if choice.get("type") == "null"]
            if self._nulls and null:
                return None
            return self.value(next((c for c in choices if c not in null), choices[0]), name, number, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            allowed = cast("list[object]", schema["enum"])
            return allowed[number % len(allowed)]
        kinds = schema.get("type")
        names = cast("list[str]", kinds) if isinstance(kinds, list) else [kinds]
        if "null" in names and (self._nulls or len(names) == 1):
            return None
        match next(name for name in names if name != "null"):
            case "object":
                fields = cast("Mapping[str, Mapping[str, object]]", schema.get("properties", {}))
                return {key: self.value(field, key, number, depth) for key, field in fields.items()}
            case "array":
                return self._list(cast("Mapping[str, object]", schema["items"]), name, depth)
            case "boolean":
                return number % 2 == 0
            case "integer" | "number":
                return 1
            case _:
                return f"[{name}]"

    def _list(self, items: Mapping[str, object], name: str, depth: int) -> list[object]:
        wanted = max(2, _choices(items)) if depth == 0 else 2
        made = [self.value(items, name, 0, depth + 1)]
        while len(made) < wanted and self._left > 0:
            self._left -= 1
            made.append(self.value(items, name, len(made), depth + 1))
        return made


def _choices(schema: Mapping[str, object]) -> int:
    """The most choices that one value of a list's items has."""
    own = len(cast("list[object]", schema.get("enum", [])))
    fields = cast("Mapping[str, Mapping[str, object]]", schema.get("properties", {}))
    return max([own, *map(_choices, fields.values())])
