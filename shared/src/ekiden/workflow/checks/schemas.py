"""Schemas of answers: JSON Schema, and of it what structured output of the provider takes."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from jsonschema import Draft202012Validator, SchemaError
from pydantic import JsonValue

from ekiden.errors import Mistake
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.lines import Place, line_of
from ekiden.workflow.package import Package

_STRICT_KEYWORDS = frozenset(
    {"type", "properties", "required", "items", "enum", "description", "anyOf", "additionalProperties", "const"}
)
"""What OpenAI's strict structured output accepts of JSON Schema, kept to the part every version of it took."""
MOST_DEPTH = 10
MOST_PROPERTIES = 5000
"""OpenAI's limits of a strict schema as of November 2026: developers.openai.com/api/docs/guides/structured-outputs."""
Found = tuple[Place, str, str]
"""Where, what, and what may be meant."""


def check_schemas(package: Package) -> Iterator[Mistake]:
    for name, schema in package.schemas.items():
        lines = package.lines.get(schema_file(name), {})
        try:
            found = list(_schema(name, schema))
        except RecursionError:
            found = [((), "is nested too deep", "")]
        for place, what, near in found:
            yield Mistake(schema_file(name), line_of(lines, place) if lines else None, what, near)


def schema_file(name: str) -> str:
    return f"schemas/{name}.json"


def _schema(name: str, schema: Mapping[str, object]) -> Iterator[Found]:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        yield (), f"{name!r} is no name for a schema: up to 64 letters, digits, - and _", ""
    wrong = list(
        Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(cast("dict[str, JsonValue]", schema))
    )
    if wrong:
        for error in wrong:
            place = tuple(error.absolute_path)
            near = did_you_mean(error.instance, error.validator_value) if error.validator == "enum" else ""
            yield place, f"{_path(place)}: is no JSON Schema: {error.message[:200]}", near or _type_near(error.instance)
        return
    try:
        Draft202012Validator.check_schema(cast("dict[str, object]", schema))
    except SchemaError as error:
        yield tuple(error.absolute_path), f"{_path(tuple(error.absolute_path))}: is no JSON Schema: {error.message}", ""
        return
    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield (), "$: the top of an answer must be an object", ""
        return
    yield from strict_schema(schema)
    if _properties(schema) > MOST_PROPERTIES:
        yield (), f"$: has more than {MOST_PROPERTIES} properties", ""


def strict_schema(schema: Mapping[str, object], place: Place = ()) -> Iterator[Found]:
    """Say what keeps a schema from being accepted as strict structured output."""
    path = _path(place)
    for keyword in sorted(set(schema) - _STRICT_KEYWORDS):
        near = did_you_mean(keyword, _STRICT_KEYWORDS) or "say it in the description"
        yield (*place, keyword), f"{path}: keyword {keyword!r} is not accepted in strict structured output", near
    if not {"type", "anyOf", "enum", "const"} & set(schema):
        yield place, f"{path}: says nothing of its type", "give it a type"
    properties = cast("Mapping[str, Mapping[str, object]]", schema.get("properties", {}))
    if is_a(schema, "object"):
        yield from _object(schema, properties, place)
    if schema.get("enum") == []:
        yield (*place, "enum"), f"{path}: enum has no choices", "list at least one value"
    for keyword in ("anyOf", "const", "enum"):
        for kind in ("object", "array"):
            if keyword in schema and is_a(schema, kind):
                what = f"{path}: {keyword!r} beside the type {kind} is not accepted in strict structured output"
                yield (*place, keyword), what, "remove one of them"
    if is_a(schema, "array") and not isinstance(schema.get("items"), dict):
        yield place, f"{path}: an array needs items", 'for texts: "items": {"type": "string"}'
    if len([part for part in place if part in ("properties", "items")]) >= MOST_DEPTH:
        yield place, f"{path}: is nested deeper than {MOST_DEPTH}", ""
        return
    for name, value in properties.items():
        yield from _inner(value, (*place, "properties", name))
    if isinstance(schema.get("items"), dict):
        yield from strict_schema(cast("Mapping[str, object]", schema["items"]), (*place, "items"))
    for index, value in enumerate(cast("list[object]", schema.get("anyOf", []))):
        yield from _inner(value, (*place, "anyOf", index))


def is_a(schema: Mapping[str, object], kind: str) -> bool:
    """Whether a schema allows values of a type."""
    types = schema.get("type")
    return types == kind or (isinstance(types, list) and kind in types)


def list_fields(schema: object) -> Mapping[str, Mapping[str, object]]:
    """The lists an answer has at its top, by name, each with the schema of its items."""
    properties = cast("dict[str, object]", schema).get("properties") if isinstance(schema, dict) else None
    found = cast("dict[str, dict[str, object]]", properties) if isinstance(properties, dict) else {}
    return {
        name: cast("Mapping[str, object]", items)
        for name, value in found.items()
        if isinstance(cast("object", value), dict) and value.get("type") == "array"
        if isinstance(items := value.get("items", {}), dict)
    }


def _object(schema: Mapping[str, object], properties: Mapping[str, object], place: Place) -> Iterator[Found]:
    path = _path(place)
    required = cast("list[str]", schema.get("required", []))
    if schema.get("additionalProperties") is not False:
        at = (*place, "additionalProperties")
        yield at, f"{path}: an object needs additionalProperties: false", ""
    if missing := sorted(set(properties) - set(required)):
        at = (*place, "required")
        near = "for what may be left out: a type with null"
        yield at, f"{path}: all properties must be required, missing: {', '.join(missing)}", near
    for stranger in sorted(set(required) - set(properties)):
        at = (*place, "required", required.index(stranger))
        yield at, f"{path}: required, but not a property: {stranger}", did_you_mean(stranger, properties)


def _inner(value: object, place: Place) -> Iterator[Found]:
    if isinstance(value, dict):
        yield from strict_schema(cast("Mapping[str, object]", value), place)
    else:
        yield place, f"{_path(place)}: must be a schema, not {value!r}", ""


def _path(place: Place) -> str:
    """`$.questions[].question`, as one reads an answer."""
    path, index = "$", 0
    while index < len(place):
        part = place[index]
        if part == "properties" and index + 1 < len(place):
            path, index = f"{path}.{place[index + 1]}", index + 2
        elif part == "anyOf" and index + 1 < len(place):
            path, index = f"{path}.anyOf[{place[index + 1]}]", index + 2
        else:
            path, index = path + ("[]" if part == "items" else f".{part}"), index + 1
    return path


def _type_near(said: object) -> str:
    types = ("string", "integer", "number", "boolean", "array", "object", "null")
    return did_you_mean(said, types) if isinstance(said, str) else ""


def _properties(schema: object) -> int:
    if isinstance(schema, list):
        return sum(_properties(item) for item in cast("list[object]", schema))
    if not isinstance(schema, dict):
        return 0
    fields = cast("dict[str, object]", schema)
    own = fields.get("properties")
    return (len(cast("dict[str, object]", own)) if isinstance(own, dict) else 0) + sum(
        map(_properties, fields.values())
    )
