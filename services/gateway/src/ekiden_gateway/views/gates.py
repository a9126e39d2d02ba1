"""A gate as whoever shall answer it sees it: what was found, what it cost, what comes, and how to answer."""

from collections.abc import Iterator, Mapping
from typing import cast

from ekiden.domain.forecast import Medians, items, remaining, step_calls
from ekiden.domain.gate import gate_id, phase_to_run_again
from ekiden.domain.ids import Micros, Position, Step, TaskId
from ekiden.domain.progress import place
from ekiden.domain.remedies import needed_budget
from ekiden.domain.session import Gate, Session
from ekiden.workflow.package import Workflow
from ekiden.workflow.sources import evidence, question
from ekiden_gateway.excerpt import Excerpt
from ekiden_gateway.models import forecast as forecasts
from ekiden_gateway.models import gates as model
from ekiden_gateway.models.wire import usd
from ekiden_gateway.views import forecast
from ekiden_gateway.views.session import cost, session_url

MOST_SOURCES = 50
Cached = Mapping[TaskId, Micros]


def gate_url(session: Session) -> str:
    return f"{session_url(session.id)}/gate"


def brief(session: Session, gate: Gate, workflow: Workflow, medians: Medians, cached: Cached) -> forecasts.Gate:
    """What waits behind it; `cached` are the searches whose answer is there already, with what they once cost."""
    return forecasts.Gate.model_validate(_brief(session, gate, workflow, medians, cached, gate_url(session)))


def whole(
    session: Session, gate: Gate, workflow: Workflow, medians: Medians, cached: Cached, link: str | None = None
) -> model.GateAnswer:
    """All there is to know; for who comes with a `link`, whose address that is, nothing beyond the gate."""
    position, plan, url = place(session), workflow.plan, link or gate_url(session)
    free = {position: len(cached)}
    short = needed_budget(session, plan) - session.money.budget
    fields: dict[str, object] = _brief(session, gate, workflow, medians, cached, url) | {
        "session_id": None if link else session.id,
        "language": session.language,
        "input": dict(session.input),
        "found": _found(session, position, workflow),
        "cost": cost(session.money),
        "phase": forecast.calls(remaining(session, plan, medians, free, through=position.phase)),
        "to_end": forecast.calls(remaining(session, plan, medians, free)),
        "budget_short_usd": usd(short),
        "actions": list(_actions(session, workflow, url, named=link is None)),
    }
    return model.GateAnswer.model_validate(fields)


def _brief(
    session: Session, gate: Gate, workflow: Workflow, medians: Medians, cached: Cached, url: str
) -> dict[str, object]:
    position, plan, timeout = place(session), workflow.plan, session.wishes.gate_timeout
    return {
        "id": gate_id(session, plan),
        "position": str(position),
        "since": gate.since,
        "due_at": gate.due,
        "on_timeout": timeout.then if timeout and gate.due else None,
        "items": _items(session, position, workflow),
        "forecast": forecast.calls(step_calls(session, position, plan, medians, len(cached))),
        "cached": len(cached),
        "saved_usd": usd(sum(cached.values())),
        "url": url,
    }


def _items(session: Session, position: Position, workflow: Workflow) -> list[object]:
    has_items = workflow.plan.by_position[position].for_each is not None
    return items(session, position, workflow.plan) if has_items else []


# ── what was found ───────────────────────────────────────────────────────────────────────────────────────


def _found(session: Session, position: Position, workflow: Workflow) -> model.Found | None:
    """The newest result before the gate."""
    before = [step.position for step in workflow.plan.steps]
    before = before[: before.index(position)]
    newest = next((found for found in reversed(before) if found.key in session.results), None)
    if newest is None:
        return None
    searched = {found.phase: found for found in before if found.step is Step.EXECUTE and found.key in session.results}
    searches = {phase: evidence(session, found, workflow.plan) for phase, found in searched.items()}
    whole = searches[newest.phase]["searches"] if newest.step is Step.EXECUTE else session.results[newest.key]
    excerpt, phase = Excerpt(), workflow.definition.phases[newest.phase - 1]
    missing = searches.get(newest.phase, {}).get("missing", [])
    return model.Found(
        phase=newest.phase,
        step=newest.step,
        title=phase.title.get(session.language, phase.name),
        result=excerpt.of(whole),
        shortened=excerpt.cut,
        missing=cast("list[str]", missing),
        sources=list(_sources(searches)),
    )


def _sources(searches: Mapping[int, Mapping[str, object]]) -> Iterator[model.Source]:
    """Each address once, those of the latest phase first."""
    seen: set[str] = set()
    for _, found in sorted(searches.items(), reverse=True):
        for search in cast("list[Mapping[str, list[Mapping[str, str | None]]]]", found["searches"]):
            for source in search["sources"]:
                url = source.get("url")
                if url and url not in seen and len(seen) < MOST_SOURCES:
                    seen.add(url)
                    yield model.Source(url=url, title=source.get("title"), date=source.get("date"))


# ── what can be done ─────────────────────────────────────────────────────────────────────────────────────


def _actions(session: Session, workflow: Workflow, url: str, *, named: bool) -> Iterator[model.GateAction]:
    """The answers that this gate takes. Who comes with a link need not name the gate."""
    about: dict[str, object] = {"gate": gate_id(session, workflow.plan)} if named else {}
    planned, phase = _items(session, place(session), workflow), phase_to_run_again(session, workflow.plan)
    possible: dict[model.Decision, tuple[str, dict[str, object]]] = {"approve": ("Go on as planned.", {})}
    if planned:
        questions = [question(item) for item in planned]
        possible["edit"] = "Go on with other items, which `input` lists.", {"input": questions}
    if phase is not None:
        possible["rerun"] = f"Do phase {phase} again, and come back here.", {}
    possible["stop"] = "Cancel the session; nothing more is bought.", {}
    for decision, (description, more) in possible.items():
        body = {**about, "decision": decision, **more}
        yield model.GateAction(action=decision, description=description, method="POST", url=url, body=body)
