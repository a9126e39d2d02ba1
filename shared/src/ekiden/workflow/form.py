"""What is wrong with a document's form, in words and at its lines."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from ekiden.domain.provider import Provider
from ekiden.errors import Mistake
from ekiden.workflow.lines import Place, line_of

LONGEST_NAME = 100
_QUOTED = re.compile(r"'([^']*)'")


def did_you_mean(said: object, known: Iterable[str]) -> str:
    """The nearest of some names as a question, or nothing; what is longer than a name is like none."""
    word = str(said)
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6) if len(word) <= LONGEST_NAME else []
    return f"did you mean {near[0]!r}?" if near else ""


def form_mistakes(model: type[BaseModel], error: ValidationError, lines: Mapping[Place, int]) -> list[Mistake]:
    """All that pydantic found in `workflow.yaml`, each once."""
    told = [_mistake(model, dict(found), lines) for found in error.errors(include_url=False)]
    return list(dict.fromkeys(told))


def _mistake(model: type[BaseModel], found: dict[str, Any], lines: Mapping[Place, int]) -> Mistake:
    place = cast("Place", tuple(part for part in found["loc"] if part != "[key]"))
    path = ".".join(str(part) for part in place) or "workflow.yaml"
    line = line_of(lines, place)
    match found["type"]:
        case "extra_forbidden":
            known = sorted(_keys_at(model, place[:-1]))
            near = did_you_mean(place[-1], known) or f"known here: {', '.join(known)}"
            return Mistake("workflow.yaml", line, f"{path}: unknown key", near)
        case "missing":
            return Mistake("workflow.yaml", line, f"{path}: is required, and missing")
        case "literal_error" | "enum":
            choices = _QUOTED.findall(str(found.get("ctx", {}).get("expected", "")))
            return Mistake("workflow.yaml", line, f"{path}: {found['msg']}", did_you_mean(found["input"], choices))
        case "value_error" if place[-1] == "provider":
            return Mistake(
                "workflow.yaml", line, f"{path}: {found['ctx']['error']}", did_you_mean(found["input"], Provider)
            )
        case _:
            said = str(found["msg"]).removeprefix("Value error, ")
            return Mistake("workflow.yaml", line, f"{path}: {said}", _whole(found))


def _whole(found: Mapping[str, Any]) -> str:
    """A number that was quoted, or a text that YAML read as something else."""
    given = found["input"]
    if found["type"].startswith(("int_", "float_")) and isinstance(given, str):
        return f"write a number in place of {given[:60]!r}"
    if found["type"] == "string_type" and isinstance(given, bool | int | float):
        return f"quote it: YAML reads it as {given!r}"
    return ""


def _keys_at(model: type[BaseModel], place: Place) -> set[str]:
    """The keys that the form knows at a place: those of the models that may stand there."""
    models = [model]
    for part in place:
        models = [inner for each in models for inner in _inside(each, part)] or models
    return {field.alias or name for each in models for name, field in each.model_fields.items()}


def _inside(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            yield from _models_in(field.annotation)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
