"""An answer for any JSON Schema: properties with a saying get it, the rest follows from type and name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from ekiden_simulator.answers.place import Place
from ekiden_simulator.answers.plain_values import number, text
from ekiden_simulator.answers.story import COUNT
from ekiden_simulator.answers.vocabulary import UNSPOKEN, spoken

Schema = Mapping[str, object]
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EXACTLY = re.compile(rf"(?:exactly\s+|ちょうど\s*)({'|'.join(_NUMBERS)}|[1-9]\d?)", re.IGNORECASE)
_MOST = 20
_DEEPEST = 8
"""Schemas may refer to themselves: below this depth lists stay empty and optional values null."""


@dataclass(frozen=True)
class Writer:
    """Fills one schema. `root` resolves its references, `position` is the place in the innermost list."""

    root: Schema
    place: Place
    position: int = 0
    depth: int = 0

    def fill(self, schema: Schema, name: str = "") -> object:
        """Return a value of this schema for a property of this name."""
        schema = self._resolved(schema)
        value = spoken(name, self.place) if name else UNSPOKEN
        fitted = self._fitted(value, schema)
        return self.invented(schema, name) if fitted is UNSPOKEN else fitted

    def invented(self, schema: Schema, name: str) -> object:
        """Return what follows from the schema alone, with the name as a hint."""
        if options := _options(schema):
            return options[self.position % len(options)]
        kinds = _kinds(schema)
        if "null" in kinds and self.depth > _DEEPEST:
            return None
        match next((kind for kind in kinds if kind != "null"), "null"):
            case "object":
                return self._object(schema, {})
            case "array":
                return self._array(schema, name)
            case "integer":
                return number(schema, name, self.position, whole=True)
            case "number":
                return number(schema, name, self.position, whole=False)
            case "boolean":
                return self.position % 2 == 0
            case "string":
                return text(schema, name, self.place.story, self.position)
            case _:
                return None

    def _object(self, schema: Schema, known: Mapping[str, object]) -> dict[str, object]:
        properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
        made: dict[str, object] = {}
        for name, child in properties.items():
            value = self._fitted(known[name], self._resolved(child)) if name in known else UNSPOKEN
            made[name] = replace(self, depth=self.depth + 1).fill(child, name) if value is UNSPOKEN else value
        return made

    def _array(self, schema: Schema, name: str) -> list[object]:
        if self.depth > _DEEPEST:
            return []
        fewest, most = _bounds(schema)
        count = _asked_for(schema) or max(fewest, min(COUNT, most))
        items = self._resolved(cast("Schema", schema.get("items", {"type": "string"})))
        return [self._at(index, count, name).invented(items, name) for index in range(count)]

    def _at(self, index: int, count: int, name: str) -> "Writer":
        """Go into an item of a list: in an outermost list each item has its own story, deeper it shares one."""
        outer = self.place.story
        place = Place(name, outer if self.place.inside else outer.at(index, count))
        return replace(self, place=place, position=index, depth=self.depth + 1)

    def _fitted(self, value: object, schema: Schema) -> object:
        """Return a value in the form the schema wants, or `UNSPOKEN` when it cannot have that form."""
        kinds = _kinds(schema)
        if value is UNSPOKEN or ((options := _options(schema)) and value not in options):
            return UNSPOKEN
        match value:
            case None:
                return None if "null" in kinds else UNSPOKEN
            case list():
                return self._fitted_list(cast("list[object]", value), schema, kinds)
            case dict():
                return self._fitted_object(cast("dict[str, object]", value), schema, kinds)
            case int():
                return value if "integer" in kinds or "number" in kinds else UNSPOKEN
            case _:
                return _short_enough(str(value), schema) if "string" in kinds else UNSPOKEN

    def _fitted_list(self, values: list[object], schema: Schema, kinds: Mapping[str, None]) -> object:
        if "array" not in kinds:
            texts = [item for item in values if isinstance(item, str)]
            joint = self.place.story.words["joins"]["list"]
            return _short_enough(joint.join(texts), schema) if "string" in kinds and texts else UNSPOKEN
        fewest, most = _bounds(schema)
        most = _asked_for(schema) or most
        items = self._resolved(cast("Schema", schema.get("items", {})))
        fitted = [self._fitted(item, items) for item in values[:most]]
        return UNSPOKEN if UNSPOKEN in fitted or len(fitted) < fewest else fitted

    def _fitted_object(self, value: dict[str, object], schema: Schema, kinds: Mapping[str, None]) -> object:
        if "object" in kinds:
            return self._object(schema, value)
        if "string" not in kinds:
            return UNSPOKEN
        texts = [str(part) for part in value.values() if part]
        return value["url"] if value.get("url") else self.place.story.words["joins"]["pair"].join(texts[:2])

    def _resolved(self, schema: Schema) -> Schema:
        """Follow references and take the first alternative that is not null, remembering that null is allowed."""
        for _ in range(_DEEPEST):
            if isinstance(reference := schema.get("$ref"), str):
                schema = self._referred(reference)
                continue
            options = cast("list[Schema]", schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or [])
            if not options:
                break
            resolved = [self._resolved(option) for option in options]
            chosen = next((option for option in resolved if option.get("type") != "null"), resolved[0])
            kinds = _kinds(chosen)
            nullable = any("null" in _kinds(option) for option in resolved)
            schema = {**chosen, "type": [*kinds, "null"]} if nullable and "null" not in kinds else chosen
        return schema

    def _referred(self, reference: str) -> Schema:
        found: object = self.root
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = cast("Schema", found).get(part, {}) if part else found
        return cast("Schema", found)


def _options(schema: Schema) -> list[object]:
    """The values a schema is limited to, none when it is not."""
    return [schema["const"]] if "const" in schema else cast("list[object]", schema.get("enum", []))


def _kinds(schema: Schema) -> dict[str, None]:
    """The types a schema allows, in its order; guessed from its keywords when it names none."""
    named = schema.get("type")
    if isinstance(named, str):
        return {named: None}
    if isinstance(named, list):
        return dict.fromkeys(cast("list[str]", named))
    return {"object" if "properties" in schema else "array" if "items" in schema else "string": None}


def _bounds(schema: Schema) -> tuple[int, int]:
    return cast("int", schema.get("minItems", 0)), cast("int", schema.get("maxItems", 20))


def _asked_for(schema: Schema) -> int | None:
    """How many items the description asks for: strict schemas have no other way to say it."""
    found = _EXACTLY.search(str(schema.get("description", "")))
    if found is None:
        return None
    said = found[1].lower()
    return min(int(said), _MOST) if said.isdecimal() else _NUMBERS.index(said) + 1


def _short_enough(value: str, schema: Schema) -> object:
    longest = cast("int", schema.get("maxLength", len(value)))
    return UNSPOKEN if len(value) > longest else value
