"""What an answer cites, held against what the searches of its session really returned.

Applied where an answer *enters* the session, and only there: whatever comes after it (prompts, the searches a later
phase plans, drafts, pages, exports) reads clean results and needs no care of its own. The ledger keeps the provider's
answer as it came. It is a pure function of the session and the answer, so that deciding again on the same ledger gives
the same session.

Where evidence stands is said by the schema, in these names and in any workflow:

* an object of `sourceId` and `url`, or of `url` and `title`, and nothing beyond `date`: a source;
* `sourceId` or `sourceIds` beside other fields: what these rest on;
* `sourceUrl`, with `newsSource`: the main source and its title; null when it was none;
* a list called `evidence` or `sources` that is empty rests on nothing, and is flagged.

The id decides before the address does. Title and date are the search's, whatever the model wrote.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from ekiden.domain.altered import altered
from ekiden.domain.ids import TaskId, TaskName
from ekiden.domain.messages import Outcome, TaskStatus
from ekiden.domain.session import Session
from ekiden.workflow.addresses import addresses, without_foreign
from ekiden.workflow.flags import Kind, flag
from ekiden.workflow.hidden import without_hidden
from ekiden.workflow.package import Workflow
from ekiden.workflow.sources import Source, Sources, sources_of

Row = Mapping[str, object]
_OF_A_SOURCE = frozenset({"sourceId", "url", "title", "date", "question"})
_ID = re.compile(r"S[0-9]+")


def received(session: Session, outcomes: Mapping[TaskId, Outcome], workflow: Workflow) -> Mapping[TaskId, Outcome]:
    """The outcomes a session waits for, with their answers cleaned and flagged as they enter it.

    Searches are taken as they come: they are what the rest is held against.
    """
    waited = [task for task in session.waits_for if task in outcomes]
    asked = [task for task in waited if _is_answer(task, outcomes[task], workflow)]
    if not asked:
        return outcomes
    found = sources_of(session, workflow.plan)
    known = found.urls | frozenset(url for text in session.given for url in addresses(text))
    return {**outcomes, **{task: _entering(outcomes[task], found, known) for task in asked}}


def cleaned(answer: object, found: Sources, known: frozenset[str]) -> tuple[object, tuple[str, ...]]:
    """An answer with only what searches returned, and flags that say where something was taken out.

    `known` are the addresses its texts may hold: those of the sources, and in a session also the user's own.
    """
    desk = _Desk(found, known)
    return desk.clean(answer, ""), tuple(dict.fromkeys(desk.flags))


def is_source(row: object) -> bool:
    """Whether an object is a source and nothing else."""
    if not isinstance(row, dict):
        return False
    names = cast("dict[str, object]", row).keys()
    return "url" in names and bool({"sourceId", "title"} & names) and names <= _OF_A_SOURCE


def _is_answer(task: TaskId, outcome: Outcome, workflow: Workflow) -> bool:
    provider = workflow.plan.by_position[TaskName.parse(task).position].provider
    return outcome.status is TaskStatus.COMPLETED and not provider.searches


def _entering(outcome: Outcome, found: Sources, known: frozenset[str]) -> Outcome:
    result, flags = cleaned(outcome.result, found, known)
    return altered(outcome, result=result, flags=flags)


@dataclass
class _Desk:
    """Reads one answer from its top down and collects flags on the way."""

    found: Sources
    known: frozenset[str]
    flags: list[str] = field(default_factory=list[str])

    def clean(self, value: object, place: str) -> object:
        match value:
            case str():
                return self._text(value, place)
            case dict():
                return self._row(cast("Row", value), place)
            case list():
                return self._list(cast("list[object]", value), place)
            case _:
                return value

    def _text(self, text: str, place: str) -> str:
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        seen = without_hidden(lines)
        if seen != lines:
            self._flag(Kind.HIDDEN_TEXT_REMOVED, place)
        left = without_foreign(seen, self.known)
        if left != seen:
            self._flag(Kind.FOREIGN_URL_REMOVED, place)
        return left

    def _list(self, rows: list[object], place: str) -> list[object]:
        if rows and all(is_source(row) for row in rows):
            return self._sources(cast("list[Row]", rows), place)
        return [self.clean(row, f"{place}[{index}]") for index, row in enumerate(rows)]

    def _sources(self, rows: list[Row], place: str) -> list[object]:
        kept: dict[str, object] = {}
        for row in rows:
            source = self._resolved(row, place)
            if source is None:
                self._flag(Kind.FOREIGN_SOURCE_REMOVED, place)
            else:
                kept.setdefault(source.url, _as_asked(source, row))
        if not kept:
            self._flag(Kind.NO_SOURCES, place)
        return list(kept.values())

    def _row(self, row: Row, place: str) -> Row:
        if is_source(row):
            source = self._resolved(row, place)
            if source is not None:
                return _as_asked(source, row)
            self._flag(Kind.FOREIGN_SOURCE_REMOVED, place)
            return {name: None if value is None or name == "date" else "" for name, value in row.items()}
        made = {name: self._field(name, value, f"{place}.{name}".lstrip(".")) for name, value in row.items()}
        return self._main_source(row, made, place) if "sourceUrl" in row else made

    def _field(self, name: str, value: object, place: str) -> object:
        if name == "sourceUrl":
            return value
        if name == "sourceId" and isinstance(value, str):
            return ", ".join(self._ids(value, place))
        if name == "sourceIds" and isinstance(value, list):
            return [one for said in cast("list[object]", value) for one in self._ids(str(said), place)]
        if value == [] and name in {"evidence", "sources"}:
            self._flag(Kind.NO_SOURCES, place)
        return self.clean(value, place)

    def _ids(self, said: str, place: str) -> list[str]:
        named = _named(said)
        kept = [one for one in named if one in self.found.by_id]
        if len(kept) < len(named) or (said.strip() and not named):
            self._flag(Kind.FOREIGN_SOURCE_REMOVED, place)
        return kept

    def _resolved(self, row: Row, place: str) -> Source | None:
        """The source an object means: by its id, else by its address."""
        said, url = str(row.get("sourceId") or ""), str(row.get("url") or "").strip()
        by_id = next((self.found.by_id[one] for one in _named(said) if one in self.found.by_id), None)
        by_url = self.found.by_url.get(url)
        source = by_id or by_url
        if source is not None and ((url and url != source.url) or (said and by_id is None)):
            self._flag(Kind.SOURCE_CORRECTED if by_url or not url else Kind.FOREIGN_URL_REMOVED, place)
        return source

    def _main_source(self, row: Row, made: dict[str, object], place: str) -> Row:
        """`sourceUrl` with `newsSource`, the title of the same source."""
        said = row["sourceUrl"]
        source = self.found.by_url.get(str(said or "").strip())
        if source is not None:
            return made | {"sourceUrl": source.url} | ({"newsSource": source.title} if "newsSource" in row else {})
        if said:
            self._flag(Kind.FOREIGN_URL_REMOVED, f"{place}.sourceUrl".lstrip("."))
            return made | {"sourceUrl": None} | ({"newsSource": None} if "newsSource" in row else {})
        return made | {"sourceUrl": said}

    def _flag(self, kind: Kind, place: str) -> None:
        self.flags.append(flag(kind, place))


def _named(said: str) -> list[str]:
    """The ids in what a model wrote for one: `[S3]`, `s3` and `S1, S4` are said in good faith."""
    return list(dict.fromkeys(_ID.findall(unicodedata.normalize("NFKC", said).upper())))


def _as_asked(source: Source, row: Row) -> Row:
    """The search's record in the fields that the answer has; a date that no search knew stays empty."""
    return {name: value for name, value in source.record().items() if name in row}
