"""Sessions in every situation, told by the domain, with the ledger and the drafts that they would have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import bson
from bson.codec_options import CodecOptions

from ekiden.domain.decider import situation
from ekiden.domain.diagnosis import diagnose
from ekiden.domain.ids import Micros, Position, Step, TaskId, TaskName
from ekiden.domain.messages import Cancel, Look, Outcome, Pause, RestartPhase, Start, TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.session import Session, Wishes
from ekiden.retry import UnknownOutcome
from ekiden.store.session_document import from_document, to_document
from ekiden.store.task_facts import read_fact
from ekiden.workflow.package import Workflow
from ekiden_gateway.keys import Scope
from ekiden_gateway.page.languages import words
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.screens.session import Found, shown
from ekiden_gateway.page.visitor import Visitor
from ekiden_gateway.page.visits import Visit
from ekiden_gateway.views import gates as gate_views
from ekiden_gateway.views import status
from tests.fakes.workflow import ANSWERS, small_package
from tests.unit.domain.small_plan import AT, ID, Story, new_session, passing, permanent, unknown

WORKFLOW: Workflow = small_package().compile(
    {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
)
SEARCH = Position(1, Step.EXECUTE)
MEDIANS = {Provider.GPT: 12.0, Provider.PERPLEXITY: 70.0}


@dataclass
class Told:
    """A session with what the stores would know of it."""

    session: Session
    ledger: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    drafts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def stored(self) -> "Told":
        """As MongoDB would give it back."""
        again = bson.decode(bson.encode({"session": to_document(self.session)}), CodecOptions(tz_aware=True))
        return replace(self, session=from_document(again["session"] | {"movedAt": self.session.moved_at}))


class Runner:
    """Tells a story of the small workflow, and keeps a ledger of it."""

    def __init__(self, *, wishes: Wishes | None = None, budget: int = 1_000_000, **fields: Any) -> None:
        session = replace(new_session(budget=budget, wishes=wishes), workflow=WORKFLOW.id, **fields)
        self.story = Story(session, WORKFLOW.plan)
        self.outcomes: dict[TaskId, Outcome] = {}
        self.began: dict[TaskId, datetime] = {}
        self.history: list[dict[str, Any]] = []

    def say(self, message: Any) -> "Runner":
        decision = self.story.say(message)
        session = decision.session
        for order in decision.tasks:
            self.began[order.id] = self.story.now
        self.history.append(
            {
                "version": len(self.history),
                "at": message.at,
                "cause": type(message).__name__,
                "status": session.status.value,
                "waitingReason": session.waiting_reason.value if session.waiting_reason else None,
                "phase": session.position.phase if session.position else None,
                "step": session.position.step.value if session.position else None,
                "events": [
                    {"type": e.type, "phase": e.phase, "step": e.step, "detail": e.detail} for e in decision.events
                ],
            }
        )
        return self

    def start(self) -> "Runner":
        return self.say(Start(self.story.now))

    def end(self, *outcomes: Outcome) -> "Runner":
        """All that is waited for ends, one like each of these, the last one for the rest."""
        waited = self.story.session.waits_for
        for index, task in enumerate(waited):
            self.outcomes[task] = outcomes[min(index, len(outcomes) - 1)]
        return self.say(Look(self.story.now, {task: self.outcomes[task] for task in waited}))

    def run(self, until: Callable[[Session], bool], answer: Mapping[str, object] | None = None) -> "Runner":
        while not until(self.story.session):
            self.answer(answer)
        return self

    def answer(self, answers: Mapping[str, object] | None = None) -> "Runner":
        position = self.story.session.position
        assert position is not None, situation(self.story.session)
        schema = WORKFLOW.definition.step(position).schema_name
        found = (answers or ANSWERS).get(schema or "search", {"text": "found", "sources": []})
        return self.end(Outcome(TaskStatus.COMPLETED, result=found, billed=Micros(5000)))

    def told(self) -> Told:
        rows = [self._row(task, began) for task, began in self.began.items()]
        return Told(self.story.session, rows, history=self.history).stored()

    def _row(self, task: TaskId, began: datetime) -> dict[str, Any]:
        name = TaskName.parse(task)
        outcome = self.outcomes.get(task)
        ended = began + timedelta(seconds=0.8) if outcome else None
        sent = {"epoch": 1, "sentAt": began, "endedAt": ended, "outcome": _SENT[outcome.status] if outcome else "sent"}
        error = {"error": outcome.error, "message": outcome.message} if outcome and outcome.error else None
        return {
            "_id": task,
            "sessionId": name.session,
            "tenant": "owner",
            "requestHash": "",
            "provider": "perplexity" if name.position.step is Step.EXECUTE else "gpt",
            "phase": name.position.phase,
            "step": name.position.step.value,
            "generation": name.generation,
            "index": name.index,
            "status": outcome.status.value if outcome else "SUBMITTED",
            "epoch": 1,
            "submissions": [sent],
            "billed": outcome.billed if outcome else 0,
            "cap": 50_000,
            "error": error,
            "createdAt": began,
            "startedAt": began,
            "finishedAt": ended if outcome and outcome.status in _FINAL else None,
            "simulated": True,
        }


_SENT = {TaskStatus.COMPLETED: "completed", TaskStatus.FAILED: "failed", TaskStatus.OUTCOME_UNKNOWN: "unknown"}
_FINAL = {TaskStatus.COMPLETED, TaskStatus.FAILED}


def draft(number: int, **fields: object) -> dict[str, Any]:
    own = {"title": f"Draft {number}", "content": "a text", "sources": [{"url": "https://example.com/a", "title": "A"}]}
    return {
        "_id": f"{ID}.g1.{number}",
        "session": ID,
        "generation": 1,
        "conceptNumber": number,
        "fields": own | fields,
        "flags": [],
        "status": "DRAFT",
        "editedContent": None,
        "simulated": True,
        "createdAt": AT,
    }


def at_search(session: Session) -> bool:
    return session.position == SEARCH


def over(session: Session) -> bool:
    return session.status.value == "COMPLETED"


def completed() -> Told:
    told = Runner().start().run(over).told()
    return replace(told, drafts=[draft(1), draft(2) | {"editedContent": "better", "status": "EDITED", "revision": 1}])


def gate() -> Told:
    return Runner(wishes=Wishes(pause_before=frozenset({SEARCH}))).start().run(at_search).told()


def _paused() -> Told:
    runner = Runner().start().answer()
    return runner.say(Pause(runner.story.now)).told()


def _cancelled() -> Told:
    runner = Runner().start().answer()
    return runner.say(Cancel(runner.story.now)).told()


def _restarted() -> Told:
    runner = Runner().start().run(over)
    return runner.say(RestartPhase(runner.story.now, 1)).told()


def _done(billed: int = 5000) -> Outcome:
    return Outcome(TaskStatus.COMPLETED, result={"text": "found", "sources": []}, billed=Micros(billed))


SITUATIONS: Mapping[str, Callable[[], Told]] = {
    "pending": lambda: Runner().told(),
    "thinking": lambda: Runner().start().told(),
    "searching": lambda: Runner().start().run(at_search).told(),
    "gate": gate,
    "gate-between": lambda: (
        Runner(wishes=Wishes(auto_advance=False)).start().run(lambda s: s.waiting_reason is not None).told()
    ),
    "budget": lambda: Runner(budget=100_000).start().run(lambda s: s.waiting_reason is not None).told(),
    "unknown": lambda: Runner().start().run(at_search).end(unknown(), _done()).told(),
    "paused": _paused,
    "retry": lambda: Runner().start().run(at_search).end(passing(), passing(), _done()).told(),
    "failed": lambda: Runner().start().end(permanent()).told(),
    "one-missing": lambda: Runner().start().run(at_search).end(permanent(), _done()).told(),
    "cancelled": _cancelled,
    "restarted": _restarted,
    "completed": completed,
}


def visitor(language: str = "en", *, may: frozenset[Scope] = frozenset(Scope), now: datetime | None = None) -> Visitor:
    moment = now or AT + timedelta(seconds=15)
    return Visitor(Visit("nonce"), "owner", may, words(language), "auto", "the-token", "/", moment, is_open=False)


def found(told: Told) -> Found:
    session = told.session
    diagnosis = diagnose(
        session, [read_fact(row) for row in told.ledger], WORKFLOW.plan, AT + timedelta(seconds=15), medians=MEDIANS
    )
    gate = gate_views.brief(session, session.gate, WORKFLOW, MEDIANS, {}) if session.gate else None
    answer = status.async_status(session, told.ledger, WORKFLOW, diagnosis, MEDIANS, gate)
    return Found(session, WORKFLOW, told.ledger, diagnosis, answer, told.drafts, told.history)


def rendered(told: Told, who: Visitor | None = None) -> str:
    who = who or visitor()
    return bytes(page(who, "session.html.j2", **shown(found(told), who)).body).decode()
