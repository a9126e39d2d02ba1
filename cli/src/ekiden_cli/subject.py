"""What a session shall be about, in any workflow: the inputs by their names, and the one that takes the subject."""

from ekiden.domain.title import THEME
from ekiden_cli.inputs import USUAL_WORKFLOW, Typed, Value, convert, in_types
from ekiden_client import EkidenClient
from ekiden_client.models.workflows import Workflow, WorkflowInput


async def wished(
    gateway: EkidenClient, subject: str, typed: Typed, workflow: str | None, language: str | None
) -> tuple[dict[str, Value], str | None]:
    """The inputs in their types, and the language when none is given: that of the subject, if there is a choice.

    Without a workflow it is that of the gateway, whose input is the theme. Raises BadParameter and EkidenError.
    """
    spoken = language_of(subject)
    if workflow is None and not typed:
        return {THEME: subject}, language or spoken
    known = await gateway.workflows.get(workflow or USUAL_WORKFLOW)
    name = _subject_input(known)
    about = convert(name, [subject], known.inputs.get(name, WorkflowInput()), "THEME")
    inputs = {name: about, **in_types(known, typed)}
    return inputs, language or (spoken if spoken in known.languages else None)


def _subject_input(workflow: Workflow) -> str:
    """The first required text; where there is none the first text, and in a workflow without texts what is required."""
    texts = [name for name, given in workflow.inputs.items() if given.type == "string"]
    required = [name for name, given in workflow.inputs.items() if given.required]
    return next(iter([*(name for name in texts if name in required), *texts, *required, *workflow.inputs]), THEME)


def language_of(text: str) -> str:
    """Japanese when there is a kana or a kanji in it, else English."""
    return "ja" if any("\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" for letter in text) else "en"
