"""A model that does what a page told it to: every text it writes is the page's, every source is one of its own.

It answers to any schema, longer than it was asked to, and names fake sources beside a real one with a false address.
"""

from collections.abc import Mapping
from typing import cast

EVIL_SOURCE = "https://evil.example/source"
EVIL_DATE = "2031-01-01"
TOO_MANY = 5

Schema = Mapping[str, object]


def obey(schema: Schema, writes: str, place: int = 0) -> object:
    """An answer of the schema's form in which every text is `writes`."""
    kinds = schema.get("type")
    kind = kinds if isinstance(kinds, str) else cast("list[str]", kinds)[0]
    if "enum" in schema:
        return cast("list[object]", schema["enum"])[0]
    match kind:
        case "object":
            fields = cast("Mapping[str, Schema]", schema["properties"])
            return {name: _field(name, field, writes, place) for name, field in fields.items()}
        case "array":
            items = cast("Schema", schema["items"])
            if "url" in cast("Mapping[str, object]", items.get("properties", {})):
                return _sources(writes)
            return [obey(items, writes, index) for index in range(TOO_MANY)]
        case "integer":
            return place + 1
        case "boolean":
            return True
        case _:
            return writes


def _field(name: str, schema: Schema, writes: str, place: int) -> object:
    match name:
        case "sourceUrl":
            return EVIL_SOURCE
        case "sourceId":
            return "S666"
        case "sourceIds":
            return ["S666", "S1"]
        case _:
            return obey(schema, writes, place)


def _sources(writes: str) -> list[object]:
    return [
        {"sourceId": "S666", "url": EVIL_SOURCE, "title": writes, "date": EVIL_DATE},
        {"sourceId": "S1", "url": "https://evil.example/swapped", "title": writes, "date": EVIL_DATE},
    ]
