"""What OpenAI demands of a schema sent with `strict: true`: a subset of JSON Schema, checked before anything runs."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

_NOT_PERMITTED = (
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
)


def mistake_in(name: str, schema: dict[str, object]) -> str | None:
    """Return OpenAI's sentence about the first mistake, None when there is none; remembered by the schema's text."""
    return _mistake_in(name, json.dumps(schema, ensure_ascii=False))


@lru_cache(maxsize=256)
def _mistake_in(name: str, text: str) -> str | None:
    schema = cast("dict[str, object]", json.loads(text))
    lead = f"Invalid schema for response_format '{name}': "
    if schema.get("type") != "object" or "anyOf" in schema:
        return lead + f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {schema.get('type')!r}'."
    for path, node in _nodes(schema, ()):
        if mistake := _mistake_at(node):
            return f"{lead}In context={path!r}, {mistake}"
    return None


def _mistake_at(node: dict[str, object]) -> str | None:
    for keyword in _NOT_PERMITTED:
        if keyword in node:
            return f"'{keyword}' is not permitted."
    kind = node.get("type")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return None
    if node.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    required = node.get("required")
    named = cast("list[object]", required) if isinstance(required, list) else []
    properties = node.get("properties")
    for key in cast("dict[str, object]", properties) if isinstance(properties, dict) else {}:
        if key not in named:
            return (
                "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{key}'."
            )
    return None


def _nodes(node: dict[str, object], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, object]]]:
    """Yield every schema inside a schema with its path; names under `properties` are not keywords."""
    yield path, node
    for keyword in ("properties", "$defs", "definitions"):
        named = node.get(keyword)
        for name, child in cast("dict[str, object]", named).items() if isinstance(named, dict) else ():
            if isinstance(child, dict):
                yield from _nodes(cast("dict[str, object]", child), (*path, keyword, name))
    for keyword in ("items", "anyOf"):
        found = node.get(keyword)
        children = cast("list[object]", found) if isinstance(found, list) else [found]
        for number, child in enumerate(children):
            if isinstance(child, dict):
                where = (keyword, str(number)) if isinstance(found, list) else (keyword,)
                yield from _nodes(cast("dict[str, object]", child), (*path, *where))
