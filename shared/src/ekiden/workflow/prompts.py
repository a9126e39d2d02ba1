"""Rendering: a pure function of session and workflow. Dates come from the session, never from a clock."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import cast

from jinja2 import BaseLoader, DictLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from ekiden.domain.ids import Position, Step
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Order
from ekiden.domain.session import Session
from ekiden.workflow.definition import Definition, StepDefinition

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e00ff]"
)
"""Controls, and what is not seen: zero-width, text direction, fillers, half surrogates and the tag characters in
which a page can hide a text of its own from people but not from a model."""
_TAG = re.compile(r"<(?=[/!a-zA-Z_])")


def data(value: object) -> str:
    """Make a value from outside harmless in a prompt: no control or zero-width characters, and no tags.

    What looks like one of our delimiters can then only be ours.
    """
    text = unicodedata.normalize("NFC", str(value))
    return _TAG.sub("‹", _UNPRINTABLE.sub("", text))


def environment(templates: Mapping[str, str]) -> SandboxedEnvironment:
    """The templates of one language: sandboxed, and strict, so that an unknown variable is an error."""
    loader: BaseLoader = DictLoader(dict(templates))
    made = SandboxedEnvironment(
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    made.filters["data"] = data
    return made


class Prompts:
    """A workflow's prompts in every language, ready to render."""

    def __init__(
        self,
        definition: Definition,
        plan: Plan,
        templates: Mapping[str, Mapping[str, str]],
        schemas: Mapping[str, Mapping[str, object]],
    ) -> None:
        self._definition = definition
        self._plan = plan
        self._schemas = schemas
        self._environments = {language: environment(texts) for language, texts in templates.items()}

    def request(self, session: Session, order: Order) -> dict[str, object]:
        """The request of one ordered task, as the ledger keeps it and an adapter understands it."""
        position = order.name.position
        step = self._definition.step(position)
        template = self._environments[session.language].get_template(f"{step.prompt}.md.j2")
        context = template.new_context(self.context(session, position, order.item))
        system, user = ("".join(template.blocks[name](context)).strip() for name in ("system", "user"))
        made: dict[str, object] = {"system": system, "user": user, "maxOutputTokens": step.max_output_tokens}
        reached = session.steps[position.key].fallback if position.key in session.steps else 0
        return made | self._limits(step, self._plan.by_position[position].source(reached).model)

    def item_schema(self, position: Position) -> Mapping[str, object]:
        """What an item of a fan-out looks like, as JSON Schema: it comes from the answer that plans the items."""
        path, _, field = (self._definition.step(position).for_each or "").rpartition(".")
        source = self._definition.step(Position.parse(self._definition.step_key(path)))
        lists = cast("Mapping[str, Mapping[str, object]]", self._schemas[source.schema_name or ""]["properties"])
        return cast("Mapping[str, object]", lists[field]["items"])

    def _limits(self, step: StepDefinition, model: str | None) -> dict[str, object]:
        optional: dict[str, object | None] = {
            "model": model,
            "maxToolCalls": step.max_tool_calls,
            "maxSteps": step.max_steps,
            "schemaName": step.schema_name,
            "schema": self._schemas[step.schema_name] if step.schema_name else None,
        }
        return {name: value for name, value in optional.items() if value is not None}

    def context(self, session: Session, position: Position, item: object | None) -> dict[str, object]:
        """The variables a prompt may use: the input, the day, the platform's conventions, earlier results by name."""
        context: dict[str, object] = {
            "input": dict(session.input),
            "language": session.language,
            "today": session.created_at.date().isoformat(),
            "platform": self._platform(session),
            "item": item,
            "shorter": session.steps[position.key].shorter if position.key in session.steps else 0,
        }
        for number, phase in enumerate(self._definition.phases, 1):
            results: dict[str, object] = {}
            for step in Step:
                state = session.steps.get(Position(number, step).key)
                if state is not None and state.result is not None:
                    results[step.lower()] = state.result
            if "execute" in results:
                results["execute"] = evidence(session, Position(number, Step.EXECUTE), self._plan)
            context[phase.name] = results
        return context

    def _platform(self, session: Session) -> dict[str, object]:
        found = self._definition.platforms.get(session.input.get("platform", ""))
        if found is None:
            return {}
        notes = found.notes.get(session.language, "")
        return {"max_length": found.max_length, "hashtags": list(found.hashtags), "notes": notes}


def evidence(session: Session, position: Position, plan: Plan) -> dict[str, object]:
    """What a fan-out of searches brought: answers with their sources numbered S1, S2, … across all of them,
    and the questions that stayed without an answer."""
    step = session.steps[position.key]
    items = plan.items(position, session.results, session.edited)
    answered = [index for index in range(len(items)) if index not in step.missing]
    searches: list[dict[str, object]] = []
    number = 0
    for index, found in zip(answered, cast("list[Mapping[str, object]]", step.result), strict=False):
        sources: list[dict[str, object]] = []
        for source in cast("list[Mapping[str, object]]", found.get("sources", [])):
            number += 1
            sources.append({"id": f"S{number}", **source})
        searches.append({"question": question(items[index]), "text": found.get("text", ""), "sources": sources})
    return {"searches": searches, "missing": [question(items[index]) for index in step.missing]}


def question(item: object) -> str:
    """The text of a fan-out's item: its `question` when it has one, else the item itself."""
    if isinstance(item, dict):
        fields = cast("dict[str, object]", item)
        return str(fields.get("question", json.dumps(fields, ensure_ascii=False)))
    return str(item)


def request_hash(provider: Provider, request: Mapping[str, object], fresh_generation: int | None) -> str:
    """Names a search by what is asked: identical ones share it. `fresh` adds the generation and so shares with none."""
    text = json.dumps([provider, request, fresh_generation], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
