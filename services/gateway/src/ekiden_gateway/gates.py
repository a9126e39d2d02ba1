"""Gates: shown to whoever has a key or a link, and answered once. The page and the JSON routes share this."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ekiden.domain.evidence import at
from ekiden.domain.forecast import planned
from ekiden.domain.gate import gate_id, phase_to_run_again, stands_at
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import Cancel, Continue, Message, RestartPhase
from ekiden.domain.progress import Verdict
from ekiden.domain.session import Session
from ekiden.domain.told import told
from ekiden.store.sessions import Actor, ActorKind, Idempotency
from ekiden.workflow.package import Workflow
from ekiden_gateway import commands, items
from ekiden_gateway.gate_links import Link
from ekiden_gateway.kinds import CONFLICT, LINK_EXPIRED, LINK_SPENT, NO_GATE
from ekiden_gateway.models import forecast as forecasts
from ekiden_gateway.models import gates as model
from ekiden_gateway.models.gate_requests import AnswerGate, AnswerGateByLink, GateDecision
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import gate_endings
from ekiden_gateway.views import gates as views

LINKS = "/api/gates"
PAGES = "/gates"


# ── with a key ───────────────────────────────────────────────────────────────────────────────────────────


async def brief(parts: Parts, session: Session, workflow: Workflow) -> forecasts.Gate | None:
    """What waits behind the gate at which a session stands; None when it stands at none."""
    if session.gate is None:
        return None
    cached = await _cached(parts, session, workflow)
    return views.brief(session, session.gate, workflow, await parts.around.medians(), cached)


async def show(parts: Parts, session: Session, link: str | None = None) -> model.GateAnswer:
    """The gate at which a session stands, whole; for a `link`, whose address that is. Raises Problem at none."""
    if session.gate is None:
        raise Problem(NO_GATE, f"The session is {session.status} and stands at no gate.")
    workflow = await commands.workflow_of(parts, session)
    cached = await _cached(parts, session, workflow)
    return views.whole(session, session.gate, workflow, await parts.around.medians(), cached, link)


async def answer(
    parts: Parts, session: Session, asked: AnswerGate, known_as: Idempotency | None, *, dry_run: bool
) -> CommandAnswer | DryRunAnswer:
    """Do what was decided, if the session stands at the gate that was named. Raises Problem, KeyReused."""
    workflow = await commands.workflow_of(parts, session)

    def message(loaded: Session) -> Message:
        return _message(loaded, asked, asked.gate, workflow, parts.database.clock.now())

    return await commands.hear(parts, session, message, known_as, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class Made:
    """The token of a new link, the gate it is to, and until when it holds."""

    token: str
    gate: str
    expires_at: datetime


async def make_link(parts: Parts, session: Session, gate: str | None, holds: timedelta) -> Made:
    """Make a link to the gate at which a session stands. Raises Problem at none, or when that is not the one named."""
    workflow = await commands.workflow_of(parts, session)
    if session.gate is None:
        raise Problem(NO_GATE, f"The session is {session.status} and stands at no gate.")
    here = gate_id(session, workflow.plan)
    if gate is not None and not stands_at(session, gate, workflow.plan):
        raise await commands.conflict(
            parts, session, told("it stands at {here}, and the link would be to {gate}", here=here, gate=gate)
        )
    until = parts.database.clock.now() + holds
    until = min(until, session.gate.due or until)
    return Made(await parts.gate_links.sign(session, until), here, until)


# ── with a link ──────────────────────────────────────────────────────────────────────────────────────────


async def behind_link(parts: Parts, token: str) -> Session:
    """The session that stands at a link's gate. Raises Problem when it no longer does, or the link is none."""
    link = await parts.gate_links.read(token)
    session = await parts.sessions.load(link.session_id)
    if session is None:
        raise Problem(LINK_SPENT, told("The session of this link is no longer there."))
    if not link.is_about(session):
        raise await _spent(parts, link)
    if parts.database.clock.now() >= link.expires_at:
        held = told("This link held until {at}, and the gate is still closed.", at=at(link.expires_at))
        raise Problem(LINK_EXPIRED, held)
    return session


async def show_by_link(parts: Parts, token: str) -> model.GateAnswer:
    """What `show` shows, without what is beyond the gate. Raises Problem."""
    return await show(parts, await behind_link(parts, token), f"{LINKS}/{token}")


async def answer_by_link(parts: Parts, token: str, asked: AnswerGateByLink) -> model.GateAnswered:
    """Do what was decided. Of several answers at the same time one counts. Raises Problem to all others."""
    session = await behind_link(parts, token)
    workflow = await commands.workflow_of(parts, session)
    gate, by = gate_id(session, workflow.plan), Actor(ActorKind.LINK, asked.who.strip())

    def message(loaded: Session) -> Message:
        return _message(loaded, asked, gate, workflow, parts.database.clock.now())

    decision = await parts.relay.say(session.id, message, by=by)
    if decision is None or decision.verdict is not Verdict.MOVED:
        await behind_link(parts, token)  # somebody else was quicker, or the link ended just now
        raise Problem(CONFLICT, decision.why if decision else "")
    after = decision.session
    return model.GateAnswered(
        gate=gate, decision=asked.decision, who=by.name, status=after.status, waiting_reason=after.waiting_reason
    )


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────


def _message(session: Session, asked: GateDecision, gate: str, workflow: Workflow, now: datetime) -> Message:
    """What is said to a session. At another gate items are not looked at: the decision refuses the word as a whole."""
    here = stands_at(session, gate, workflow.plan)
    match asked.decision:
        case "approve":
            return Continue(now, gate=gate)
        case "edit":
            given = asked.input or []
            place = session.position if here else None
            return Continue(now, items.edited(session, place, given, workflow), gate=gate)
        case "rerun":
            phase = phase_to_run_again(session, workflow.plan)
            if here and phase is None:
                raise Problem(CONFLICT, told("Nothing has run before {gate} that could be run again.", gate=gate))
            place = items.fan_out_of(phase, workflow) if here and phase else None
            again = items.edited(session, place, asked.input, workflow) if asked.input is not None else None
            return RestartPhase(now, phase or 1, again, gate=gate)
        case "stop":
            return Cancel(now, gate=gate)


async def _cached(parts: Parts, session: Session, workflow: Workflow) -> Mapping[TaskId, Micros]:
    """The searches behind the gate whose answer is there already."""
    if session.position is None or workflow.plan.by_position[session.position].for_each is None:
        return {}
    return await parts.relay.cached(session, planned(session, workflow.plan), parts.settings.search_cache_seconds)


async def _spent(parts: Parts, link: Link) -> Problem:
    history = await parts.sessions.history(link.session_id, -1) or []
    return Problem(LINK_SPENT, gate_endings.ending(history, link.number))
