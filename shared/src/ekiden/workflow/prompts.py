"""Rendering: a pure function of session and workflow. Dates come from the session, never from a clock."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import cast

from ekiden.domain.ids import Position, Step
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Order
from ekiden.domain.session import Session
from ekiden.workflow.definition import Definition, Shorten, StepDefinition
from ekiden.workflow.hidden import unseen_removed
from ekiden.workflow.reads import Reads
from ekiden.workflow.sandbox import Sandbox
from ekiden.workflow.sources import evidence

MOST_MARKS = 30
"""Marks on one character, as Unicode's stream-safe text has them (UAX #15): to put more in order takes the square of
their number, and no language needs them."""
_TAG = re.compile(r"[<＜﹤](?<![<＜﹤]{2})[<＜﹤]*+(?=[/!?|%a-zA-Z_／])")
"""What begins a tag, also in the full-width look-alikes that a model may take for one, and `<|` of chat templates.
A run of them is looked at from its first only, so that a page of nothing else costs no more time than any other."""
_NO_WORDS = re.compile(rf"\W{{{MOST_MARKS + 1},}}")

_VARYING = re.compile(r"[{}]")
_TELLING = 20
"""A line of so many characters is nobody's by chance, in Japanese either."""


ALWAYS = frozenset({"input", "language", "today", "platform", "item", "shorter", "shorten"})
"""The variables of every prompt, beside the phases."""


def data(value: object) -> str:
    """Make a value from outside harmless in a prompt: no control or zero-width characters, and no tags.

    What looks like one of our delimiters can then only be ours. What is not there is empty.
    """
    text = "" if value is None else str(value)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _NO_WORDS.sub(lambda run: _fewer_marks(run[0]), text))
    return _TAG.sub("‹", unseen_removed(text))


def _fewer_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def environment(templates: Mapping[str, str]) -> Sandbox:
    """The templates of one language, with our own filter."""
    made = Sandbox(templates)
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
        self._reads = {language: Reads(made, templates[language]) for language, made in self._environments.items()}
        self._places = [
            (phase.name, [(place, place.key) for place in (Position(number, step) for step in Step)])
            for number, phase in enumerate(definition.phases, 1)
        ]
        self._own_lines = {language: _own_lines(texts) for language, texts in templates.items()}

    def request(self, session: Session, order: Order) -> dict[str, object]:
        """The request of one ordered task, as the ledger keeps it and an adapter understands it."""
        position = order.name.position
        step = self._definition.step(position)
        template = f"{step.prompt}.md.j2"
        context = self.context(session, position, order.item, template)
        made_of = self._environments[session.language]
        system, user = made_of.blocks(template, context, ("system", "user"))
        made: dict[str, object] = {"system": system, "user": user, "maxOutputTokens": step.max_output_tokens}
        reached = session.steps[position.key].fallback if position.key in session.steps else 0
        return made | self._limits(step, self._plan.by_position[position].source(reached).model)

    def item_schema(self, position: Position) -> Mapping[str, object]:
        """What an item of a fan-out looks like, as JSON Schema: it comes from the answer that plans the items."""
        path, _, field = (self._definition.step(position).for_each or "").rpartition(".")
        source = self._definition.step(Position.parse(self._definition.step_key(path)))
        lists = cast("Mapping[str, Mapping[str, object]]", self._schemas[source.schema_name or ""]["properties"])
        return cast("Mapping[str, object]", lists[field]["items"])

    def own_lines(self, language: str) -> frozenset[str]:
        """Sentences of our prompts, which no draft has any reason to hold."""
        return self._own_lines[language]

    def _limits(self, step: StepDefinition, model: str | None) -> dict[str, object]:
        optional: dict[str, object | None] = {
            "model": model,
            "params": dict(step.params) or None,
            "maxToolCalls": step.max_tool_calls,
            "maxSteps": step.max_steps,
            "schemaName": step.schema_name,
            "schema": self._schemas[step.schema_name] if step.schema_name else None,
        }
        return {name: value for name, value in optional.items() if value is not None}

    def context(
        self, session: Session, position: Position, item: object | None, template: str | None = None
    ) -> dict[str, object]:
        """The variables a prompt may use: the input, the day, the platform's conventions, earlier results by name.

        For a template without the evidence that it cannot read: to clean that costs more than all the rest.
        """
        shorter = session.steps[position.key].shorter if position.key in session.steps else 0
        limits = self._definition.step(position).shorten if shorter else Shorten()
        context: dict[str, object] = {
            "input": dict(session.input),
            "language": session.language,
            "today": session.as_of.date().isoformat(),
            "platform": self._platform(session),
            "item": item,
            "shorter": shorter,
            "shorten": {"characters": limits.characters, "sources": limits.sources},
        }
        for name, places in self._places:
            results: dict[str, object] = {}
            for place, key in places:
                state = session.steps.get(key)
                if state is None or state.result is None:
                    continue
                if place.step is not Step.EXECUTE:
                    results[place.step.lower()] = state.result
                elif template is None or self._reads[session.language].may_read(template, name, "execute"):
                    results["execute"] = shortened(evidence(session, place, self._plan), limits)
            context[name] = results
        return context

    def _platform(self, session: Session) -> dict[str, object]:
        found = self._definition.platforms.get(str(session.input.get("platform", "")))
        if found is None:
            return {}
        notes = found.notes.get(session.language, "")
        thread = found.thread and {
            "max_posts": found.thread.max_posts,
            "max_length": found.thread.max_length or found.max_length,
        }
        return {
            "max_length": found.max_length,
            "hashtags": list(found.hashtags),
            "thread": thread,
            "links": found.links,
            "notes": notes,
        }


def _own_lines(templates: Mapping[str, str]) -> frozenset[str]:
    lines = (line.strip(" -") for text in templates.values() for line in text.splitlines())
    return frozenset(line for line in lines if len(line) >= _TELLING and not _VARYING.search(line))


def shortened(found: Mapping[str, object], limits: Shorten) -> Mapping[str, object]:
    """Evidence with the texts of its searches and their sources cut to the limits; without limits as it is."""
    searches: list[dict[str, object]] = []
    for search in cast("list[dict[str, object]]", found["searches"]):
        text, sources = str(search["text"]), cast("list[object]", search["sources"])
        if limits.characters is not None and len(text) > limits.characters:
            text = f"{text[: limits.characters - 1]}…"
        searches.append({**search, "text": text, "sources": sources[: limits.sources]})
    return {**found, "searches": searches}


def request_hash(provider: Provider, request: Mapping[str, object], fresh_generation: int | None) -> str:
    """Names a search by what is asked: identical ones share it. `fresh` adds the generation and so shares with none."""
    text = json.dumps([provider, request, fresh_generation], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
