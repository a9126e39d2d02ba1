"""What the searches of a session returned: each source under an id of its own, S1, S2, … across all of them.

The record is made from the session alone, so that the same id means the same source in every prompt, check and page.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import cast

from ekiden.domain.ids import Position, Step
from ekiden.domain.plan import Plan
from ekiden.domain.session import Session
from ekiden.workflow.addresses import is_web_address, without_foreign
from ekiden.workflow.hidden import unseen_removed, without_hidden

LONGEST_TITLE = 300
LONGEST_SAID = 2000
_DATE = re.compile(r"(?=.*\d)[\w ,.:/+-]{1,40}")
"""A date in anybody's form, and nothing that is none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A page as a search returned it. `date` is what the search said, in its own form, or None; it is never made up."""

    id: str
    url: str
    title: str
    date: str | None
    question: str
    phase: int

    def record(self) -> dict[str, object]:
        """As a draft names it."""
        return {"sourceId": self.id, "url": self.url, "title": self.title, "date": self.date, "question": self.question}


@dataclass(frozen=True)
class Sources:
    """All sources of a session, in the order found."""

    all: tuple[Source, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Source]:
        return {source.id: source for source in self.all}

    @cached_property
    def by_url(self) -> Mapping[str, Source]:
        """The first to return an address stands for it."""
        return {source.url: source for source in reversed(self.all)}

    @cached_property
    def urls(self) -> frozenset[str]:
        return frozenset(self.by_url)


@dataclass(frozen=True, slots=True)
class _Search:
    """One search that was answered: its place, its question, what was said, and the sources it returned."""

    position: Position
    question: str
    text: str
    sources: tuple[Source, ...]


def sources_of(session: Session, plan: Plan) -> Sources:
    """Every source that the searches of a session returned so far, numbered across its phases."""
    return _all(_searches(session, plan))


def evidence(session: Session, position: Position, plan: Plan) -> dict[str, object]:
    """What a fan-out of searches brought, for a prompt: answers with their numbered sources, and the questions that
    stayed without an answer. An answer's own text keeps only addresses that are among the session's sources."""
    step = session.steps[position.key]
    every = _searches(session, plan)
    known = _all(every).urls
    searches: list[dict[str, object]] = []
    for search in every:
        if search.position == position:
            shown = [{"id": one.id, "url": one.url, "title": one.title, "date": one.date} for one in search.sources]
            text = without_foreign(unseen_removed(search.text), known)
            searches.append({"question": search.question, "text": text, "sources": shown})
    items = plan.items(position, session.results, session.edited)
    return {"searches": searches, "missing": [question(items[index]) for index in step.missing]}


def question(item: object) -> str:
    """The text of a fan-out's item: its `question` when it has one, else the item itself."""
    if isinstance(item, dict):
        fields = cast("dict[str, object]", item)
        return str(fields["question"]) if "question" in fields else json.dumps(fields, ensure_ascii=False)
    return str(item)


def _all(searches: list[_Search]) -> Sources:
    return Sources(tuple(source for search in searches for source in search.sources))


def _searches(session: Session, plan: Plan) -> list[_Search]:
    """The searches of a session in their order, with their sources numbered."""
    numbers = count(1)
    searches: list[_Search] = []
    for position in (step.position for step in plan.steps if step.position.step is Step.EXECUTE):
        for asked, answer in _answers(session, position, plan):
            found = tuple(_source(next(numbers), row, asked, position.phase) for row in _usable(answer))
            searches.append(_Search(position, asked, str(answer.get("text", "")), found))
    return searches


def _answers(session: Session, position: Position, plan: Plan) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The answers of a fan-out, each with its question. None while the step has no result."""
    step = session.steps.get(position.key)
    if step is None or not isinstance(step.result, list):
        return
    items = plan.items(position, session.results, session.edited)
    answered = [index for index in range(len(items)) if index not in step.missing]
    for index, answer in zip(answered, cast("list[object]", step.result), strict=False):
        if isinstance(answer, dict):
            yield question(items[index]), cast("Mapping[str, object]", answer)


def _usable(answer: Mapping[str, object]) -> list[Mapping[str, object]]:
    """A search's sources that lead to the web; any other address could only do harm."""
    listed = answer.get("sources")
    rows = cast("list[object]", listed) if isinstance(listed, list) else []
    found = [cast("Mapping[str, object]", row) for row in rows if isinstance(row, dict)]
    return [row for row in found if is_web_address(row.get("url"))]


def _source(number: int, row: Mapping[str, object], asked: str, phase: int) -> Source:
    url = str(row["url"])
    title = _plain(row.get("title"))[:LONGEST_TITLE] or url
    date = str(row.get("date") or "").strip()
    return Source(f"S{number}", url, title, date if _DATE.fullmatch(date) else None, asked, phase)


def _plain(said: object) -> str:
    """What a page calls itself, without addresses and what is not seen: its owner wrote it, and drafts show it."""
    return " ".join(without_foreign(without_hidden(str(said or "")[:LONGEST_SAID]), frozenset()).split())
