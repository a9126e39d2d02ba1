"""The page `/docs`: the OpenAPI document to read, without a script."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup, escape

from ekiden_gateway.kinds import Kind

Json = Mapping[str, Any]
_TEMPLATES = Path(__file__).parent / "page" / "templates"


def page(document: Json, kinds: Iterable[Kind]) -> str:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    operations = list(_operations(document))
    return (
        _environment()
        .get_template("reference.html.j2")
        .render(
            info=document["info"],
            groups=[(name, says, [o for o in operations if name in o["tags"]]) for name, says in tags.items()],
            schemas=document["components"]["schemas"],
            kinds=list(kinds),
            shape=shape,
        )
    )


def shape(schema: Json) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(shape(option) for option in options))
    if "enum" in schema:
        return " · ".join("null" if value is None else str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {shape(schema.get('items', {}))}"
    return kind if isinstance(kind, str) else " or ".join(kind)


def prose(text: str) -> Markup:
    """A description as HTML: what stands between backticks is code, and all else is text."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _operations(document: Json) -> Iterator[Json]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = {status: _followed(answer, document) for status, answer in operation["responses"].items()}
            yield {**operation, "method": method.upper(), "path": path, "responses": answers}


def _followed(answer: Json, document: Json) -> Json:
    name = answer.get("$ref", "").rpartition("/")[2]
    return document["components"]["responses"][name] if name else answer


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=ChainableUndefined,  # a document leaves out what it does not need
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    return made
