"""The record of a session: its answers by what was asked, so that a changed workflow pays for changed calls only.

The ledger keeps every request as it was rendered, so nothing is recorded besides. A request is the same when provider,
texts, model, parameters, limits and schema are; a model that a worker's setting chooses stands in no request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from jinja2 import TemplateRuntimeError

from ekiden.domain.ids import NOTHING, Micros, Position, SessionId, TaskName
from ekiden.domain.plan import Provider, StepPlan
from ekiden.domain.progress import Order
from ekiden.domain.session import Session, StepState
from ekiden.workflow.package import Workflow
from ekiden.workflow.prompts import request_hash

ANSWERED = dict.fromkeys(("sessionId", "provider", "request", "result", "flags", "simulated", "billed", "saved"), 1)
"""What of a task a record needs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded answer, with the marks it bears; `saved` is what it cost when it was bought."""

    task_id: str
    result: object
    flags: tuple[str, ...]
    simulated: bool
    saved: Micros


class Record:
    def __init__(self, rows: Sequence[Mapping[str, Any]], of: SessionId) -> None:
        """`rows` are finished tasks, newest first; of two answers to one request that of the session `of` counts."""
        self._answers: dict[str, Answer] = {}
        for row in sorted(rows, key=lambda row: row["sessionId"] != of):
            asked = request_hash(Provider(row["provider"]), row["request"], None)
            self._answers.setdefault(asked, _answer(row))

    def find(self, provider: Provider, request: Mapping[str, object]) -> Answer | None:
        return self._answers.get(request_hash(provider, request, None))


@dataclass(frozen=True, slots=True)
class Expected:
    """A step of a replay: so many calls at most, of which so many are on record, and what those once cost."""

    position: Position
    calls: int
    recorded: int
    saved: Micros

    @property
    def bought(self) -> int:
        return self.calls - self.recorded


def expect(session: Session, workflow: Workflow, record: Record) -> list[Expected]:
    """Walk a replay that has not begun along its record. What rests on a call still to be bought is bought, too.

    The real number may be smaller: a prompt counts as changed when an answer that it is made with is not known yet.
    """
    expected: list[Expected] = []
    for step in workflow.plan.steps:
        found = _answers(session, step, workflow, record)
        expected.append(_expected(step, found))
        result = _NotYet() if found is None or None in found else _result(step, found)
        state = StepState(generation=1, result=result)
        session = replace(session, steps={**session.steps, step.position.key: state})
    return expected


def _expected(step: StepPlan, found: Sequence[Answer | None] | None) -> Expected:
    if found is None:
        return Expected(step.position, step.at_most if step.for_each else 1, 0, NOTHING)
    hits = [answer for answer in found if answer is not None]
    return Expected(step.position, len(found), len(hits), Micros(sum(answer.saved for answer in hits)))


def _result(step: StepPlan, found: Sequence[Answer | None]) -> object:
    results = [answer.result for answer in found if answer is not None]
    return results if step.for_each else results[0]


def _answers(session: Session, step: StepPlan, workflow: Workflow, record: Record) -> list[Answer | None] | None:
    """What is on record for each call of a step; None while it is not known which calls those are."""
    try:
        items = workflow.plan.items(step.position, session.results, session.edited)
    except _NotYetKnown:
        return None
    found: list[Answer | None] = []
    for index, item in enumerate(items):
        order = Order(TaskName(session.id, step.position, 1, index), item, step.cap)
        try:
            found.append(record.find(step.provider, workflow.prompts.request(session, order)))
        except (_NotYetKnown, TemplateRuntimeError):
            found.append(None)
    return found


def _answer(row: Mapping[str, Any]) -> Answer:
    cost = max(row.get("billed", 0), row.get("saved", 0))
    flags, simulated = tuple(row.get("flags", ())), row.get("simulated", False)
    return Answer(row["_id"], row.get("result"), flags, simulated, Micros(cost))


class _NotYetKnown(Exception):
    """A prompt or a list of items is made with an answer that has still to be bought."""


class _NotYet:
    """Stands for such an answer: whatever looks into it depends on it."""

    def _tell(self, *_: object) -> NoReturn:
        raise _NotYetKnown

    __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __str__ = __contains__ = _tell
