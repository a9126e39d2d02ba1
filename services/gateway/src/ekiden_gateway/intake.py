"""Intake: from what a person asked for to a new session, stored once however often it is asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from pydantic import BaseModel

from ekiden.domain.ids import Micros, Position
from ekiden.domain.messages import Start
from ekiden.domain.session import GateDefault, GateTimeout, InputValue, Money, Session, Status, Wishes
from ekiden.domain.told import told
from ekiden.store.sessions import Actor, ActorKind, Idempotency
from ekiden.workflow.inputs import Input
from ekiden.workflow.package import Workflow
from ekiden_gateway import once, receivers
from ekiden_gateway.admission import admit
from ekiden_gateway.catalogue import DEFAULT
from ekiden_gateway.models.requests import CreateSession
from ekiden_gateway.models.sessions import CreatedSession
from ekiden_gateway.models.wire import micros
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import invalid
from ekiden_gateway.views import session as views

_INPUTS = ("theme", "expertise", "style", "platform")


def workflow_of(parts: Parts, asked: CreateSession) -> Workflow:
    """The newest version of the workflow asked for. Raises Problem when there is none of that name."""
    name = asked.workflow or DEFAULT
    workflow = parts.catalogue.workflows.get(name)
    if workflow is None:
        raise invalid("workflow", f"there is no {name!r}; there are {', '.join(sorted(parts.catalogue.workflows))}")
    return workflow


def new_session(parts: Parts, owner: str, asked: CreateSession, workflow: Workflow) -> Session:
    """The session asked for, with every wish checked against its workflow. Raises Problem with the field."""
    definition = workflow.definition
    language = asked.language or definition.languages[0]
    if language not in definition.languages:
        raise invalid("language", f"choose one of {', '.join(definition.languages)}")
    default = parts.settings.session_budget_usd
    budget = asked.budget_usd or (default if default is not None else definition.budget_usd)
    return Session(
        id=parts.stamp.session_id(),
        owner=owner,
        workflow=workflow.id,
        input=checked_input(_given(asked, workflow), workflow),
        language=language,
        created_at=parts.database.clock.now(),
        money=Money(budget=micros(budget)),
        wishes=_wishes(asked, workflow),
        metadata=asked.metadata,
        webhook_url=receivers.taken(parts, "webhookUrl", asked.webhook_url) if asked.webhook_url else None,
    )


def successor(parts: Parts, session: Session) -> Session:
    """A new session with the same input, workflow version, wishes and budget, linked to the one it follows."""
    return Session(
        id=parts.stamp.session_id(),
        owner=session.owner,
        workflow=session.workflow,
        input=session.input,
        language=session.language,
        created_at=parts.database.clock.now(),
        money=Money(budget=session.money.budget),
        wishes=session.wishes,
        metadata=session.metadata,
        webhook_url=session.webhook_url,
        parent=session.id,
        replay=session.replay,
        edited=session.edited if session.replay else {},
    )


def idempotency(key: str | None, asked: BaseModel | Mapping[str, object]) -> Idempotency | None:
    """What the `Idempotency-Key` header and the request say; the fingerprint is that of the parsed request."""
    if key is None:
        return None
    said = asked.model_dump(mode="json", exclude_defaults=True) if isinstance(asked, BaseModel) else asked
    text = json.dumps(said, sort_keys=True, default=str)
    return Idempotency(key, hashlib.sha256(text.encode()).hexdigest())


async def store(parts: Parts, session: Session, known_as: Idempotency | None, *, start: bool) -> CreatedSession:
    """Store a session, or find the one that the same request stored before; start it when asked and not done yet.

    Every answer to the same request is the same: budget and what starting led to are read from the history.
    Raises Problem when it is to start and there is no room: then nothing is stored.
    """
    by = Actor(ActorKind.KEY, session.owner)
    if start:
        await admit(parts, session, Start(session.created_at), known_as, stored=False)
    await receivers.room_for(parts, session)
    await parts.webhooks.listen(session)
    if start:
        begun = await parts.relay.begin(session, Start(parts.database.clock.now()), known_as, by)
        if begun is not None:
            return views.created(replace(session, status=begun.session.status))
    elif await parts.sessions.create(session, known_as):
        return views.created(session)
    twin = await once.created_before(parts.sessions, session.owner, known_as)
    if twin is None:
        raise RuntimeError("a new session's id was taken")
    stored = await parts.sessions.load(twin)
    if stored is None:
        raise RuntimeError(f"{twin} was stored and is gone")
    if start:
        if stored.status is Status.PENDING:  # an earlier version stored it first, and died before it had started it
            await parts.relay.say(twin, lambda _: Start(parts.database.clock.now()), by=by)
        await parts.places.give_back(session)  # its twin has started, so it needs no place that was taken for them
    return views.created(await _at_first(parts, stored, start=start))


async def _at_first(parts: Parts, session: Session, *, start: bool) -> Session:
    """The session as it was when it was created, or had just been started; what it was told since is left out."""
    history = await parts.sessions.history(session.id, -1) or []
    starts = [entry["status"] for entry in history if entry["cause"] == Start.__name__]
    status = Status(starts[0]) if start and starts else Status.PENDING
    budget: Micros = history[0].get("budget", session.money.budget) if history else session.money.budget
    return replace(session, status=status, money=Money(budget=budget))


def checked_input(given: Mapping[str, object], workflow: Workflow) -> dict[str, InputValue]:
    """The workflow's inputs: given, or their defaults; nothing that the workflow does not know."""
    fields = workflow.definition.inputs
    for name in given:
        if name not in fields:
            raise invalid(name, f"{workflow.definition.name} has no such field; it has {', '.join(fields)}")
    return {name: _one_input(name, given.get(name), field) for name, field in fields.items()}


def _given(asked: CreateSession, workflow: Workflow) -> dict[str, object]:
    given: dict[str, object] = {name: value for name in _INPUTS if (value := getattr(asked, name)) is not None}
    given |= asked.model_extra or {}
    fields = workflow.definition.inputs
    if "expertise" in given and "expertise" not in fields and "theme" in fields:
        given.setdefault("theme", _one_input("expertise", given.pop("expertise"), fields["theme"]))
    return given


def _one_input(name: str, value: object, field: Input) -> InputValue:
    if value is None:
        if field.required:
            raise invalid(name, told("is required"))
        return field.default
    try:
        return field.accept(value)
    except ValueError as error:
        raise invalid(name, error.args[0]) from None


def _wishes(asked: CreateSession, workflow: Workflow) -> Wishes:
    """Where to stop and look: what the session says of each kind of gate, else what its workflow says."""
    plan, gates, said = workflow.plan, workflow.definition.gates, asked.model_fields_set
    for index, phase in enumerate(asked.pause_after_phases):
        if not 1 <= phase < plan.phases:
            raise invalid(f"pauseAfterPhases.{index}", f"must be a phase from 1 to {plan.phases - 1}")
    before = asked.pause_before if "pause_before" in said else gates.pause_before
    known: Mapping[str, Position] = {str(step.position): step.position for step in plan.steps} if before else {}
    for index, text in enumerate(before):
        if text not in known:
            raise invalid(f"pauseBefore.{index}", f"must be one of {', '.join(known)}")
    timeout = asked.gate_timeout and GateTimeout(
        timedelta(seconds=asked.gate_timeout.after_seconds), GateDefault(asked.gate_timeout.then)
    )
    after = asked.pause_after_phases if "pause_after_phases" in said else gates.pause_after_phases
    return Wishes(asked.auto_advance, frozenset(after), frozenset(known[text] for text in before), timeout)
