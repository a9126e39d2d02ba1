"""A simulated GPT answer: JSON for a schema, a few sentences without one."""

import json

from ekiden_simulator.answers.brief import read_brief
from ekiden_simulator.answers.by_schema import Writer
from ekiden_simulator.answers.place import Place
from ekiden_simulator.answers.story import story


def complete(schema_name: str, schema: dict[str, object], messages: list[dict[str, str]], seed: int) -> str:
    """Return JSON text that validates against the schema; plain text when there is none.

    The name of the schema says nothing: what is written follows from the names of its properties and the prompt.
    """
    first = story(read_brief(_prompt(messages)), 0, seed)
    if not schema:
        brief, joint = first.brief, first.words["joins"]["sentence"]
        return joint.join(brief.weave(sentence) for sentence in first.words["sentences"])
    return json.dumps(Writer(schema, Place("", first)).fill(schema), ensure_ascii=False)


def _prompt(messages: list[dict[str, str]]) -> str:
    """The user's messages before the others: what an unlabelled prompt is about stands there first."""
    ordered = sorted(messages, key=lambda message: message.get("role") != "user")
    return "\n".join(message.get("content") or "" for message in ordered if message.get("role") != "assistant")
