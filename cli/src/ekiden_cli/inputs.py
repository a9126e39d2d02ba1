"""A session's inputs: `NAME=VALUE` as it is typed, and its value in the type that the workflow gives the input."""

from collections.abc import Iterable, Mapping, Sequence

import typer

from ekiden_client import EkidenClient
from ekiden_client.models.workflows import Workflow, WorkflowInput

USUAL_WORKFLOW = "viral-content"
"""What the gateway takes when no workflow is named, as its API says."""
Value = str | int | bool | Sequence[str]
Typed = Mapping[str, Sequence[str]]
"""What was typed for each input: a word for each time that it was named."""
_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_OPTION = "--input"


def read_inputs(words: Iterable[str]) -> Typed:
    """Read `NAME=VALUE` words. Raises BadParameter."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not (name and sign):
            raise typer.BadParameter(f"{name!r} is no NAME=VALUE", param_hint=_OPTION)
        found.setdefault(name, []).append(value)
    return found


async def further_inputs(gateway: EkidenClient, workflow: str | None, typed: Typed) -> dict[str, Value]:
    """What was typed, in the types of the workflow; the gateway knows them. Raises BadParameter, EkidenError."""
    return in_types(await gateway.workflows.get(workflow or USUAL_WORKFLOW), typed) if typed else {}


def in_types(workflow: Workflow, typed: Typed) -> dict[str, Value]:
    """What was typed, in the types of its inputs. One that the workflow does not have is left to the gateway to refuse.

    Raises BadParameter.
    """
    unknown = WorkflowInput()
    return {name: convert(name, words, workflow.inputs.get(name, unknown)) for name, words in typed.items()}


def convert(name: str, words: Sequence[str], wanted: WorkflowInput, hint: str = _OPTION) -> Value:
    """A value of one input; one word for a list is split at its commas, several are its items. Raises BadParameter."""
    if wanted.type == "list":
        items = words[0].split(",") if len(words) == 1 else words
        return [item.strip() for item in items if item.strip()]
    if len(words) > 1:
        raise typer.BadParameter(f"{name} takes one value, and was given {len(words)}", param_hint=hint)
    word = words[0]
    if wanted.type == "integer":
        try:
            return int(word)
        except ValueError:
            raise typer.BadParameter(f"{name} takes an integer, and {word!r} is none", param_hint=hint) from None
    if wanted.type == "boolean":
        if (switch := _SWITCH.get(word.strip().lower())) is None:
            raise typer.BadParameter(f"{name} takes true or false, and {word!r} is neither", param_hint=hint)
        return switch
    return word
