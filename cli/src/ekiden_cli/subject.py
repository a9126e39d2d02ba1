"""What a session is about, in any workflow: its inputs by their names, and the one that names it."""

from collections.abc import Iterable, Mapping

import typer

from ekiden_cli.wrap import clean
from ekiden_client import EkidenClient
from ekiden_client.models.workflows import Workflow

THEME = "theme"


def subject_of(inputs: Mapping[str, object], otherwise: str = "") -> str:
    """The theme; in a workflow without one the first input that says something."""
    said = (str(value) for value in (inputs.get(THEME) or "", *inputs.values()))
    return clean(next((text for text in said if text.strip()), otherwise))


def read_inputs(given: Iterable[str]) -> dict[str, str]:
    """Read `NAME=VALUE` words. Raises BadParameter."""
    pairs = [word.partition("=") for word in given]
    if wrong := next((name for name, sign, _ in pairs if not (name and sign)), None):
        raise typer.BadParameter(f"{wrong!r} is no NAME=VALUE", param_hint="--input")
    return {name: value for name, _, value in pairs}


async def wished(
    gateway: EkidenClient, subject: str, workflow: str | None, language: str | None
) -> tuple[dict[str, str], str | None]:
    """The input that takes the subject, and the language when none is given: that of the subject, if there is a choice.

    Without a workflow it is that of the gateway, whose input is the theme. Raises EkidenError.
    """
    if workflow is None:
        return {THEME: subject}, language or language_of(subject)
    known = await gateway.workflows.get(workflow)
    spoken = language_of(subject)
    return {_first_input(known): subject}, language or (spoken if spoken in known.languages else None)


def _first_input(workflow: Workflow) -> str:
    required = [name for name, given in workflow.inputs.items() if given.required]
    return next(iter((*required, *workflow.inputs)), THEME)


def language_of(text: str) -> str:
    """Japanese when there is a kana or a kanji in it, else English."""
    return "ja" if any("\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" for letter in text) else "en"
