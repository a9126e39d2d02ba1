"""Find every mistake of a workflow without calling anyone. What passes here can be rendered and sent."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from jinja2 import TemplateSyntaxError, meta
from jsonschema import Draft202012Validator, SchemaError

from ekiden.domain.ids import Position, Step
from ekiden.domain.provider import Kind, Provider
from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.workflow.definition import Definition, StepDefinition
from ekiden.workflow.package import Package
from ekiden.workflow.prompts import environment
from ekiden.workflow.rehearsal import rehearse

_ALWAYS = frozenset({"input", "language", "today", "platform", "item", "shorter"})
_STRICT_KEYWORDS = frozenset(
    {"type", "properties", "required", "items", "enum", "description", "anyOf", "additionalProperties", "const"}
)
"""What OpenAI's strict structured output accepts of JSON Schema, kept to the part every version of it took."""


def check(package: Package) -> None:
    """Raise WorkflowInvalid with all mistakes at once, or return."""
    definition = package.definition
    mistakes = [
        *_texts(definition),
        *_steps(definition, package),
        *_prompts(definition, package),
        *_drafts(definition, package),
    ]
    for name, schema in package.schemas.items():
        mistakes += [Mistake(f"schemas/{name}.json", None, what) for what in _schema(name, schema)]
    mistakes = mistakes or [*rehearse(package)]
    if mistakes:
        raise WorkflowInvalid(mistakes)


def _schema(name: str, schema: Mapping[str, object]) -> Iterator[str]:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        yield f"{name!r} is no name for a schema: up to 64 letters, digits, - and _"
    try:
        Draft202012Validator.check_schema(cast("dict[str, object]", schema))
    except SchemaError as error:
        yield f"{error.json_path}: is no JSON Schema: {error.message}"
        return
    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield "$: the top of an answer must be an object"
        return
    yield from strict_schema(schema)


def strict_schema(schema: Mapping[str, object], place: str = "$") -> Iterator[str]:
    """Say what keeps a schema from being accepted as strict structured output."""
    for keyword in sorted(set(schema) - _STRICT_KEYWORDS):
        yield f"{place}: keyword {keyword!r} is not accepted in strict structured output"
    properties = cast("Mapping[str, Mapping[str, object]]", schema.get("properties", {}))
    types = schema.get("type")
    if types == "object" or (isinstance(types, list) and "object" in types):
        if schema.get("additionalProperties") is not False:
            yield f"{place}: an object needs additionalProperties: false"
        missing = set(properties) - set(cast("list[str]", schema.get("required", [])))
        if strange := set(cast("list[str]", schema.get("required", []))) - set(properties):
            yield f"{place}: required, but not a property: {', '.join(sorted(strange))}"
        if missing:
            yield f"{place}: all properties must be required, missing: {', '.join(sorted(missing))}"
    if (types == "array" or (isinstance(types, list) and "array" in types)) and not isinstance(
        schema.get("items"), dict
    ):
        yield f"{place}: an array needs items"
    for name, value in properties.items():
        yield from strict_schema(value, f"{place}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from strict_schema(cast("Mapping[str, object]", schema["items"]), f"{place}[]")
    for index, value in enumerate(cast("list[Mapping[str, object]]", schema.get("anyOf", []))):
        yield from strict_schema(value, f"{place}.anyOf[{index}]")


def list_fields(schema: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    """The lists an answer has at its top, by name, each with the schema of its items."""
    properties = cast("Mapping[str, Mapping[str, object]]", schema.get("properties", {}))
    return {
        name: cast("Mapping[str, object]", value.get("items", {}))
        for name, value in properties.items()
        if value.get("type") == "array"
    }


def _texts(definition: Definition) -> Iterator[Mistake]:
    texts = {"title": definition.title, "description": definition.description}
    texts |= {f"phases.{phase.name}.title": phase.title for phase in definition.phases}
    for place, text in texts.items():
        for language in definition.languages:
            if language not in text:
                yield _wrong(f"{place} has no text in {language!r}")
    for name, platform in definition.platforms.items():
        for language in sorted(set(definition.languages) - set(platform.notes)) if platform.notes else ():
            yield _wrong(f"platforms.{name}.notes has no text in {language!r}")
    for name, given in definition.inputs.items():
        if given.enum is not None and not given.required and given.default not in given.enum:
            yield _wrong(f"inputs.{name}: the default {given.default!r} is none of its choices")
    names = [phase.name for phase in definition.phases]
    for name in sorted({name for name in names if names.count(name) > 1 or name in _ALWAYS}):
        yield _wrong(f"phases: the name {name!r} is taken")


def _steps(definition: Definition, package: Package) -> Iterator[Mistake]:
    for position in definition.positions():
        step = definition.step(position)
        place = f"phases.{definition.phases[position.phase - 1].name}.{position.step.lower()}"
        for language in definition.languages:
            if f"{step.prompt}.md.j2" not in package.templates.get(language, {}):
                yield Mistake(f"prompts/{language}/{step.prompt}.md.j2", None, f"is missing; {place} names it")
        if step.schema_name is not None and step.schema_name not in package.schemas:
            yield Mistake(f"schemas/{step.schema_name}.json", None, f"is missing; {place} names it")
        if not step.provider.searches and step.schema_name is None:
            yield _wrong(f"{place}: a {step.provider.upper()} step needs a schema for its answer")
        if step.provider.searches and step.schema_name is not None:
            yield _wrong(f"{place}: a search has no schema; the step after it gives its text a form")
        if position.step is Step.EXECUTE and step.for_each is None:
            yield _wrong(f"{place}: EXECUTE needs for_each, the list it fans out over")
        if (position.step is Step.EXECUTE) != step.provider.searches:
            yield _wrong(
                f"{place}: EXECUTE searches with {_named(Kind.SEARCH)}; THINK and INTEGRATE ask {_named(Kind.TEXT)}"
            )
        yield from _fallback(step, place)
        if position.step is not Step.EXECUTE and step.for_each is not None:
            yield _wrong(f"{place}: only EXECUTE fans out")
        if step.for_each is not None:
            yield from _fan_out(definition, package, position, step, place)


def _named(kind: Kind) -> str:
    return " or ".join(provider for provider in Provider if provider.kind is kind)


def _fallback(step: StepDefinition, place: str) -> Iterator[Mistake]:
    asked: list[tuple[Provider, str | None]] = [(step.provider, step.model)]
    for number, other in enumerate(step.fallback, 1):
        if other.provider.kind is not step.provider.kind:
            yield _wrong(f"{place}.fallback: {other.provider} is no provider of a {step.provider.kind}")
        if (other.provider, other.model) in asked:
            yield _wrong(f"{place}.fallback: entry {number} asks whom an entry before it has asked already")
        asked.append((other.provider, other.model))


def _fan_out(
    definition: Definition, package: Package, position: Position, step: StepDefinition, place: str
) -> Iterator[Mistake]:
    path, _, field = (step.for_each or "").rpartition(".")
    try:
        source = Position.parse(definition.step_key(path))
    except (KeyError, ValueError):
        yield _wrong(f"{place}.for_each: there is no step {path!r}")
        return
    order = definition.positions()
    if order.index(source) >= order.index(position):
        yield _wrong(f"{place}.for_each: {path!r} comes later")
    schema = package.schemas.get(definition.step(source).schema_name or "", {})
    if field not in list_fields(schema):
        yield _wrong(
            f"{place}.for_each: {path!r} has no list {field!r}; lists: {', '.join(list_fields(schema)) or 'none'}"
        )


def _prompts(definition: Definition, package: Package) -> Iterator[Mistake]:
    known: set[str] = set(_ALWAYS)
    for position in definition.positions():
        known.add(definition.phases[position.phase - 1].name)
        name = f"{definition.step(position).prompt}.md.j2"
        for language in definition.languages:
            if name in package.templates.get(language, {}):
                yield from _template(package.templates[language], f"prompts/{language}", name, known)


def _template(templates: Mapping[str, str], folder: str, name: str, known: set[str]) -> Iterator[Mistake]:
    made = environment(templates)
    try:
        parsed = made.parse(templates[name])
        blocks = made.get_template(name).blocks
    except TemplateSyntaxError as error:
        yield Mistake(f"{folder}/{error.name or name}", error.lineno, error.message or "syntax error")
        return
    for unknown in sorted(meta.find_undeclared_variables(parsed) - known):
        line = next((n for n, text in enumerate(templates[name].splitlines(), 1) if unknown in text), None)
        yield Mistake(f"{folder}/{name}", line, f"unknown variable {unknown!r}; known here: {', '.join(sorted(known))}")
    for block in ("system", "user"):
        if block not in blocks:
            yield Mistake(f"{folder}/{name}", None, f"has no block {block!r}")


def _drafts(definition: Definition, package: Package) -> Iterator[Mistake]:
    key = definition.drafts.key
    for draft_field, path in definition.drafts.fields.items():
        step_path, _, rest = path.rpartition(".")
        step_path, _, list_name = step_path.rpartition(".")
        try:
            schema = package.schemas[definition.step(Position.parse(definition.step_key(step_path))).schema_name or ""]
        except (KeyError, ValueError):
            yield _wrong(f"drafts.fields.{draft_field}: there is no step {step_path!r} with a schema")
            continue
        items = list_fields(schema).get(list_name, {})
        fields = cast("Mapping[str, Mapping[str, object]]", items.get("properties", {}))
        if fields.get(key, {"type": "integer"}).get("type") != "integer":
            yield _wrong(f"drafts.key: {step_path}.{list_name}.{key} is no integer, and drafts are joined by number")
        for wanted in (rest, key):
            if wanted not in fields:
                yield _wrong(f"drafts.fields.{draft_field}: {step_path}.{list_name} has no field {wanted!r}")


def _wrong(what: str) -> Mistake:
    return Mistake("workflow.yaml", None, what)
