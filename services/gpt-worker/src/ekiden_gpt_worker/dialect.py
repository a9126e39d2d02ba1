"""What a server takes of a request. OpenAI's own takes all of it; others that speak Chat Completions refuse some of it.

A refusal that names a field is known not to be bought: the call is made again at once without it, and that is
remembered per model for as long as the process lives. An answer's form is checked on arrival, however it was asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

OPTIONAL = re.compile(r"expected one of.*", re.DOTALL)
"""Behind this a refusal lists all the fields that there are (seen of Bedrock through LiteLLM, 2025-09)."""
FORM_WORDS = ("response_format", "response format", "json_schema", "json_object", "structured output")


class Form(StrEnum):
    """How an answer's form is asked for, the surest way first. Without a schema's own field it stands in the prompt."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"


class LimitField(StrEnum):
    """What the most tokens of an answer are called; the older name is refused by OpenAI's reasoning models."""

    MAX_COMPLETION_TOKENS = "max_completion_tokens"
    MAX_TOKENS = "max_tokens"


@dataclass(frozen=True, slots=True)
class Dialect:
    form: Form = Form.JSON_SCHEMA
    limit: LimitField = LimitField.MAX_COMPLETION_TOKENS
    left_out: frozenset[str] = frozenset()
    """Parameters of a workflow that this server does not take."""

    def without(self, field: str) -> "Dialect":
        """The same for a server that refuses this field of the body. Further down the list, and never up again."""
        if field == "response_format":
            return replace(self, form=list(Form)[min(list(Form).index(self.form) + 1, len(Form) - 1)])
        if field == LimitField.MAX_COMPLETION_TOKENS:
            return replace(self, limit=LimitField.MAX_TOKENS)
        return replace(self, left_out=self.left_out | {field})


def refused_field(message: str, param: object, body: Mapping[str, object]) -> str | None:
    """Which field of a body a refusal is about, of those that can be done without. None when it names none of them."""
    can_go = [name for name in body if name not in {"model", "messages", LimitField.MAX_TOKENS}]
    if isinstance(param, str) and (named := param.partition(".")[0]) in can_go:
        return named
    said = OPTIONAL.sub("", message)
    for name in can_go:
        words = FORM_WORDS if name == "response_format" else (name,)
        if any(re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE) for word in words):
            return name
    return None
