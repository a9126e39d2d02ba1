"""Replays: a changed workflow on the recorded answers of a session, as a session of its own.

A session is replayed once under each version of a workflow: whoever asks again, or at the same time, gets the same
replay, so that no call is bought twice by asking.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ekiden.domain.forecast import Calls
from ekiden.domain.ids import Micros
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.session import Money, Replay, Session
from ekiden.errors import WorkflowInvalid
from ekiden.store.sessions import Idempotency
from ekiden.workflow.check import check
from ekiden.workflow.folder import folders_in
from ekiden.workflow.package import Package, Workflow, read_folder
from ekiden.workflow.record import Expected, expect
from ekiden_gateway import intake
from ekiden_gateway.catalogue import inside
from ekiden_gateway.models.replays import ReplayForecast, ReplaySession, ReplayStep
from ekiden_gateway.models.sessions import CreatedSession
from ekiden_gateway.models.wire import micros, usd
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import invalid
from ekiden_gateway.settings import PACKAGED_WORKFLOWS
from ekiden_gateway.views import forecast as forecasts


async def begin(parts: Parts, session: Session, asked: ReplaySession) -> CreatedSession:
    """Begin a replay, or find the one there is. Raises Problem when the workflow does not suit."""
    workflow = await _workflow(parts, session, asked)
    return await intake.store(parts, _replay(parts, session, asked, workflow), _known_as(session, workflow), start=True)


async def foresee(parts: Parts, session: Session, asked: ReplaySession) -> ReplayForecast:
    """Say what a replay would reuse and buy. Raises Problem when the workflow does not suit."""
    workflow = await _workflow(parts, session, asked)
    replay = _replay(parts, session, asked, workflow)
    record = await parts.relay.record(session.owner, _link(session), list(Provider))
    steps = await asyncio.to_thread(expect, replay, workflow, record)
    existing = await parts.sessions.created_under(session.owner, _known_as(session, workflow).key)
    return ReplayForecast(
        session_id=session.id,
        workflow=workflow.id,
        existing=existing[0] if existing else None,
        recorded=sum(step.recorded for step in steps),
        saved_usd=usd(sum(step.saved for step in steps)),
        to_buy=forecasts.calls(_to_buy(steps, workflow.plan, await parts.around.medians())),
        budget_usd=usd(replay.money.budget),
        steps=[
            ReplayStep(position=str(step.position), calls=step.calls, recorded=step.recorded, saved_usd=usd(step.saved))
            for step in steps
        ],
    )


def _replay(parts: Parts, session: Session, asked: ReplaySession, workflow: Workflow) -> Session:
    """With the same input, and the questions that a person put in place of planned ones; it stops at no gate."""
    definition, default = workflow.definition, parts.settings.session_budget_usd
    if session.language not in definition.languages:
        raise invalid("workflow", f"{workflow.id} does not speak {session.language!r}")
    budget = asked.budget_usd or (default if default is not None else definition.budget_usd)
    fan_outs = {step.position.key for step in workflow.plan.steps if step.for_each}
    return Session(
        id=parts.stamp.session_id(),
        owner=session.owner,
        workflow=workflow.id,
        input=intake.checked_input(session.input, workflow),
        language=session.language,
        created_at=parts.database.clock.now(),
        money=Money(budget=micros(budget)),
        metadata=session.metadata,
        replay=_link(session),
        edited={key: items for key, items in session.edited.items() if key in fan_outs},
    )


async def _workflow(parts: Parts, session: Session, asked: ReplaySession) -> Workflow:
    """The version asked for: by its id, or by name as its folder is now, so that a change needs no restart."""
    wanted = asked.workflow or session.workflow.partition("@")[0]
    if "@" in wanted:
        try:
            return await parts.workflows.compiled(wanted)
        except KeyError:
            raise invalid("workflow", f"there is no version {wanted!r}") from None
    try:
        async with parts.turns.of(("replay", "workflow", wanted)):  # one looks, the others know it then
            found = await _as_it_is(parts, wanted)
    except WorkflowInvalid as error:
        raise invalid("workflow", "; ".join(map(str, error.mistakes))) from error
    if found is None:
        raise invalid("workflow", f"there is no {wanted!r}; there are {', '.join(sorted(parts.catalogue.workflows))}")
    return found


async def _as_it_is(parts: Parts, name: str) -> Workflow | None:
    """The version that is in a workflow's folder. One that is stored was checked before. Raises WorkflowInvalid."""
    parents = [PACKAGED_WORKFLOWS, *([parts.settings.workflows_dir] if parts.settings.workflows_dir else [])]
    found = await asyncio.to_thread(newest, parents, name)
    if found is None:
        return None
    folder, package = found
    try:
        return await parts.workflows.compiled(package.id)
    except KeyError:
        try:
            await asyncio.to_thread(check, package)
        except WorkflowInvalid as error:
            raise WorkflowInvalid(inside(folder, error.mistakes)) from error
        return await parts.workflows.save(package)


def newest(parents: Iterable[Path], name: str) -> tuple[Path, Package] | None:
    """As the catalogue reads it at the start: of two of the same name the later one counts.

    A folder whose `workflow.yaml` says no name is known by its own. Raises WorkflowInvalid when the one that counts
    cannot be read; what is wrong with its neighbours is theirs.
    """
    for folder in reversed([folder for parent in parents for folder in folders_in(parent)]):
        package, mistakes = read_folder(folder)
        if package.document.get("name", folder.name) == name:
            if mistakes:
                raise WorkflowInvalid(inside(folder, mistakes))
            return folder, package
    return None


def _link(session: Session) -> Replay:
    return Replay(session.id, session.replay.root if session.replay else session.id, session.as_of)


def _known_as(session: Session, workflow: Workflow) -> Idempotency:
    """A name that no client can give a request: a header has one line."""
    name = f"replay\n{session.id}\n{workflow.id}"
    return Idempotency(name, hashlib.sha256(name.encode()).hexdigest())


def _to_buy(steps: Sequence[Expected], plan: Plan, medians: Mapping[Provider, float]) -> Calls:
    calls: dict[Provider, int] = {}
    at_most, seconds = 0, 0.0
    bought = [step for step in steps if step.bought]
    for step in bought:
        known = plan.by_position[step.position]
        calls[known.provider] = calls.get(known.provider, 0) + step.bought
        at_most += known.cap * step.bought
        seconds += medians.get(known.provider, 0.0)
    measured = all(provider in medians for provider in calls)
    return Calls(calls, Micros(at_most), round(seconds, 1) if measured else None)
