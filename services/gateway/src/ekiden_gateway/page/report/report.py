"""A session's report in Markdown: what it gave, how it came to that, on what it rests, what it cost and took.

Made from the workflow's definition and the results alone, so that it suits every workflow. In the order in which
somebody reads who was not there: the drafts and what to know before they are used, then the way to them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from ekiden.domain.forecast import items
from ekiden.domain.ids import Position, Step, TaskName
from ekiden.domain.messages import TaskStatus
from ekiden.domain.session import Session, Status, StepState
from ekiden.domain.title import as_text, title_of
from ekiden.workflow.package import Workflow
from ekiden.workflow.sources import evidence, question
from ekiden_gateway.models.wire import usd
from ekiden_gateway.page.languages import DEFAULT, LANGUAGES, Words, in_language, words
from ekiden_gateway.page.rendering import clipped, label
from ekiden_gateway.page.report import accounts
from ekiden_gateway.page.report.drafts import draft_lines, flag
from ekiden_gateway.page.report.fallback import fell_back, in_place_of
from ekiden_gateway.page.report.markdown import inline, quoted
from ekiden_gateway.page.report.outline import Fields, field_name, outline, source
from ekiden_gateway.views.tasks import retry_count

Document = Mapping[str, Any]
LONGEST_ANSWER = 2_500
"""Characters of what one search found; the ledger has all of it."""
_DOT = " · "


@dataclass(frozen=True)
class Report:
    """What a report is made of. Its words are in the session's language, as its texts are."""

    session: Session
    workflow: Workflow
    ledger: Sequence[Document]
    drafts: Sequence[Document]

    @cached_property
    def t(self) -> Words:
        return words(self.session.language if self.session.language in LANGUAGES else DEFAULT)

    @property
    def title(self) -> str:
        return title_of(self.session.input, self.session.id)

    def markdown(self) -> str:
        parts = (self._head(), self._warnings(), self._drafts(), self._way(), self._cost(), self._time())
        return "\n".join(line for part in parts for line in part).rstrip() + "\n"

    @property
    def simulated(self) -> bool:
        return any(row.get("simulated") for row in self.ledger)

    # ── what it is ───────────────────────────────────────────────────────────────────────────────────────

    def _head(self) -> Iterator[str]:
        session, t = self.session, self.t
        yield from (f"# {inline(clipped(self.title, 500))}", "")
        if self.simulated:
            yield from (f"> **{t('session.simulated')}**", "")
        name = in_language(self.workflow.definition.title, t.language, self.workflow.definition.name)
        money = session.money
        yield f"- **{t('report.status')}:** {self._status()}"
        for key, said in session.input.items():
            if isinstance(said, bool):
                yield f"- **{field_name(key, t)}:** {t('value.yes') if said else t('value.no')}"
            elif said and as_text(said) != self.title:
                choice = t(f"choice.{said}") if t.has(f"choice.{said}") else inline(clipped(said, 300))
                yield f"- **{field_name(key, t)}:** {choice}"
        yield f"- **{t('list.workflow')}:** {inline(name)} (`{session.workflow}`)"
        yield f"- **{t('session.created')}:** {t.moment(session.created_at)}{self._took()}"
        spent = f"{t.money(usd(money.spent))} {t('money.of', budget=t.money(usd(money.budget)))}"
        saved = f"{_DOT}{t('money.saved')} {t.money(usd(money.saved))}" if money.saved else ""
        yield f"- **{t('money.title')}:** {spent}{saved}"
        yield f"- **{t('report.session')}:** `{session.id}`"
        if session.parent:
            yield f"- **{t('session.parent')}:** `{session.parent}`"
        yield ""

    def _status(self) -> str:
        session, t = self.session, self.t
        reason = f" ({t(f'reason.{session.waiting_reason}')})" if session.waiting_reason else ""
        why = session.failure if session.status is not Status.COMPLETED else None
        failure = f"{_DOT}{inline(why.error)}: {inline(clipped(why.message, 1000))}" if why else ""
        return f"{t(f'status.{session.status}')}{reason}{failure}"

    def _took(self) -> str:
        begun, ended = self.session.started_at, self.session.finished_at
        if begun is None or ended is None:
            return ""
        return f"{_DOT}{self.t('report.took', span=self.t.seconds((ended - begun).total_seconds()))}"

    # ── what it gave ─────────────────────────────────────────────────────────────────────────────────────

    def _warnings(self) -> Iterator[str]:
        found = list(self._to_know())
        if found:
            yield from (f"## {self.t('report.warnings')}", "", *(f"- {line}" for line in found), "")

    def _to_know(self) -> Iterator[str]:
        """What is missing, what the checks flagged, what had to be done again or was done by a person."""
        t = self.t
        for place in self._reached():
            where, state = self._where(place), self.session.steps[place.key]
            for index in state.missing:
                why = next(
                    (row["error"] for row in self._rows(place) if row["index"] == index and row.get("error")), None
                )
                because = f" ({inline(why['error'])}: {inline(clipped(why['message'], 300))})" if why else ""
                yield f"{where}: {t('report.missing')} {self._asked(place, index)}{because}"
            if place.key in self.session.edited:
                yield f"{where}: {t('report.edited')}"
            if again := sum(map(retry_count, self._rows(place))):
                yield f"{where}: {t.count('report.again', again)}"
            if state.shorter:
                yield f"{where}: {t('report.shorter')}"
            if state.fallback:
                yield f"{where}: {fell_back(self.workflow.plan.by_position[place], state, t)}"
            of_tasks = (name for row in self._rows(place) for name in row.get("flags", []))
            for name in dict.fromkeys([*state.flags, *of_tasks]):
                yield f"{where}: {flag(name, t)}"
        unknown = [row for row in self.ledger if row["status"] == TaskStatus.OUTCOME_UNKNOWN]
        if unknown:
            yield t.count("report.unknown", len(unknown), price=t.money(usd(sum(row["cap"] for row in unknown))))
        for draft in self.drafts:
            for name in draft.get("flags", []):
                yield f"{t('draft.number', n=draft['conceptNumber'])}: {flag(name, t)}"

    def _drafts(self) -> Iterator[str]:
        if self.drafts:
            yield from (f"## {self.t('draft.title')}", "")
        for draft in self.drafts:
            yield from draft_lines(draft, self.t, level=3)

    # ── how it came to that ──────────────────────────────────────────────────────────────────────────────

    def _way(self) -> Iterator[str]:
        reached = self._reached()
        if reached:
            yield from (f"## {self.t('report.way')}", "")
        phase = 0
        for place in reached:
            if place.phase != phase:
                phase = place.phase
                yield from (f"### {phase}. {self._phase(phase)}", "")
            yield from (f"#### {self.t(f'done.{place.step}')}", "", f"*{self._account(place)}*", "")
            yield from (self._found(place) if place.step is Step.EXECUTE else self._answer(place))

    def _answer(self, place: Position) -> Iterator[str]:
        result = self.session.steps[place.key].result
        if isinstance(result, Mapping):
            yield from (*outline(self._without_drafts(place, cast("Fields", result)), self.t), "")
        else:
            yield from (self.t("report.nothing_yet"), "")

    def _without_drafts(self, place: Position, result: Fields) -> Fields:
        """An answer without what stands in the drafts already, where those are there."""
        if not self.drafts:
            return result
        definition, left = self.workflow.definition, dict(result)
        for path in definition.drafts.fields.values():
            step, name, field = path.rsplit(".", 2)
            rows = left.get(name)
            if definition.step_key(step) == place.key and isinstance(rows, list) and field != "title":
                kept = cast("list[dict[str, Any]]", rows)
                left[name] = [{key: value for key, value in row.items() if key != field} for row in kept]
        return left

    def _found(self, place: Position) -> Iterator[str]:
        """Each question with what was found, and where."""
        if self.session.steps[place.key].result is None:
            asked = (f"- {self._asked(place, index)}" for index in range(len(self._items(place))))
            yield from (*asked, "", self.t("report.nothing_yet"), "")
            return
        found = evidence(self.session, place, self.workflow.plan)
        for search in cast("list[dict[str, Any]]", found["searches"]):
            yield from (f"**{inline(search['question'])}**", "")
            yield from (*quoted(clipped(str(search["text"]), LONGEST_ANSWER)), "")
            if sources := search["sources"]:
                yield from (*(f"- {source(one, self.t)}" for one in sources), "")
        for asked in cast("list[object]", found["missing"]):
            yield from (f"**{inline(asked)}**", "", self.t("report.no_answer"), "")

    def _account(self, place: Position) -> str:
        """Who was asked, how often, and what it took and cost."""
        rows, state, t = self._rows(place), self.session.steps[place.key], self.t
        models = dict.fromkeys(
            str(sent["model"]) for row in rows for sent in row["submissions"] if sent.get("model")
        ) or {row["provider"]: None for row in rows}
        cached = sum(1 for row in rows if row.get("cachedFrom"))
        said = [", ".join(map(inline, models)), t.count("relay.calls", len(rows) - cached)]
        said += [t.count("report.cached", cached)] if cached else []
        said += [in_place_of(self.workflow.plan.by_position[place], state, t)] if state.fallback else []
        said += [t.seconds(span) for span in [_span(state)] if span is not None]
        return _DOT.join([text for text in said if text] + [t.money(usd(sum(row.get("billed", 0) for row in rows)))])

    # ── what it cost and took ────────────────────────────────────────────────────────────────────────────

    def _cost(self) -> Iterator[str]:
        names = {number: self._phase(number) for number in range(1, self.workflow.plan.phases + 1)}
        yield from accounts.cost(self.ledger, names, self.t)

    def _time(self) -> Iterator[str]:
        spans: list[accounts.Span] = []
        for place in self._reached():
            state = self.session.steps[place.key]
            if state.started_at is not None and state.finished_at is not None:
                spans.append(accounts.Span(self._where(place), state.started_at, state.finished_at))
        yield from accounts.time_line(spans, self.t)

    # ── small words ──────────────────────────────────────────────────────────────────────────────────────

    def _reached(self) -> Sequence[Position]:
        """The steps that were ordered, without those that a restart has put before the session again."""
        steps = self.session.steps
        here = [step.position for step in self.workflow.plan.steps if step.position.key in steps]
        return [place for place in here if steps[place.key].tasks or steps[place.key].result is not None]

    def _rows(self, place: Position) -> Sequence[Document]:
        """All calls of a step that were ordered for what it has now, those before a retry included."""
        first = min((TaskName.parse(task).generation for task in self.session.steps[place.key].tasks), default=0)
        names = ((TaskName.parse(row["_id"]), row) for row in self.ledger)
        return [row for name, row in names if name.position == place and name.generation >= first]

    def _items(self, place: Position) -> Sequence[object]:
        return items(self.session, place, self.workflow.plan)

    def _asked(self, place: Position, index: int) -> str:
        return inline(clipped(question(self._items(place)[index]), 300))

    def _phase(self, number: int) -> str:
        phase = self.workflow.definition.phases[number - 1]
        return inline(in_language(phase.title, self.t.language, label(phase.name)))

    def _where(self, place: Position) -> str:
        return f"{place.phase}. {self._phase(place.phase)} – {self.t(f'step.{place.step}')}"


def _span(state: StepState) -> float | None:
    if state.started_at is None or state.finished_at is None:
        return None
    return max(0.0, (state.finished_at - state.started_at).total_seconds())
