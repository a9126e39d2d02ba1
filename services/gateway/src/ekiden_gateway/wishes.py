"""What `create` takes, exactly: one schema for each workflow, with its own inputs, languages, phases and steps."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ekiden.workflow.inputs import Input
from ekiden.workflow.package import Workflow
from ekiden_gateway.catalogue import DEFAULT, Catalogue

Json = dict[str, Any]
_BESIDE_INPUTS = frozenset({"theme", "expertise", "style", "platform"})
"""Fields of the model that are a workflow's inputs."""


def schemas(create: Json, catalogue: Catalogue) -> dict[str, Json]:
    """The schema `CreateSession`, and one for each workflow that it is any of."""
    found = {_name(name): _of(create, workflow) for name, workflow in sorted(catalogue.workflows.items())}
    whole = {name: create[name] for name in ("description", "examples", "title")}
    return found | {"CreateSession": whole | {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in found]}}


def _name(workflow: str) -> str:
    return "Create" + "".join(part.capitalize() for part in workflow.replace("_", "-").split("-"))


def _of(create: Json, workflow: Workflow) -> Json:
    definition, plan = workflow.definition, workflow.plan
    fields: Json = {name: deepcopy(made) for name, made in create["properties"].items() if name not in _BESIDE_INPUTS}
    is_default = definition.name == DEFAULT
    fields["workflow"] = _choice(create, "workflow", [definition.name, *([None] if is_default else [])])
    fields["language"] = _choice(create, "language", [*definition.languages, None])
    fields["pauseAfterPhases"]["items"] |= {"minimum": 1, "maximum": plan.phases - 1}
    fields["pauseBefore"]["items"] |= {"enum": [str(step.position) for step in plan.steps]}
    needed: Json = {} if is_default else {"workflow": {"required": ["workflow"]}}
    for name, field in definition.inputs.items():
        fields[name] = _input(field)
        if field.required:
            needed[name] = _given(name)
    if "theme" in definition.inputs and "expertise" not in definition.inputs:
        theme = definition.inputs["theme"]
        fields["expertise"] = _input(theme) | {"description": "Old name of `theme`", "deprecated": True}
        if theme.required:
            needed["theme"] = {"anyOf": [_given("theme"), _given("expertise")]}
    return {
        "title": f"Create a session of {definition.name}",
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        "allOf": list(needed.values()),
    }


def _choice(create: Json, name: str, options: list[str | None]) -> Json:
    return {"description": create["properties"][name]["description"], "enum": options}


def _input(field: Input) -> Json:
    """null is as good as left out."""
    made = _TYPES[field.type](field)
    made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made if field.required else made | {"default": field.default}


def _string(field: Input) -> Json:
    if field.enum is not None:
        return {"type": "string", "enum": list(field.enum)}
    return {"type": "string", "minLength": 1, "maxLength": field.max_length, "pattern": r"\S"}


def _integer(field: Input) -> Json:
    if field.enum is not None:
        return {"type": "integer", "enum": list(field.enum)}
    return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}


def _list(field: Input) -> Json:
    fewest = {"minItems": 1} if field.required else {}
    return {"type": "array", "items": _string(field), "maxItems": field.max_items, **fewest}


def _boolean(_: Input) -> Json:
    return {"type": "boolean"}


_TYPES: dict[str, Callable[[Input], Json]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "list": _list,
}


def _given(name: str) -> Json:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
