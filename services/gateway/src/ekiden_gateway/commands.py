"""A person's commands: said to the session through the relay, or with `dryRun` only decided."""

from collections.abc import Callable

from ekiden.domain.decider import decide
from ekiden.domain.diagnosis import Diagnosis, diagnose
from ekiden.domain.forecast import forecast
from ekiden.domain.messages import Message
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import Session
from ekiden.workflow.package import Workflow
from ekiden_gateway.models.health import HealthAnswer
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import CONFLICT, UNKNOWN_SESSION, Problem
from ekiden_gateway.views import forecast as forecasts
from ekiden_gateway.views import session as views
from ekiden_gateway.views import tasks


async def say(parts: Parts, session: Session, make: Callable[[Session], Message]) -> CommandAnswer:
    """Say something to a session; answers where it stands then. Raises Problem when the state forbids it."""
    decision = await parts.relay.say(session.id, make)
    return await answer(parts, session, decision)


async def answer(parts: Parts, session: Session, decision: Decision | None) -> CommandAnswer:
    if decision is None:
        raise Problem(UNKNOWN_SESSION, f"There is no session {session.id}.")
    if decision.verdict is Verdict.ILLEGAL:
        raise await conflict(parts, decision.session, decision.why)
    return views.command(decision.session, changed=decision.verdict is Verdict.MOVED)


async def foresee(parts: Parts, session: Session, message: Message) -> DryRunAnswer:
    """What saying it would do. Nothing is done; raises Problem when the state forbids it."""
    workflow = await workflow_of(parts, session)
    decision = decide(session, message, workflow.plan)
    if decision.verdict is Verdict.ILLEGAL:
        raise await conflict(parts, session, decision.why)
    return forecasts.dry_run(decision, forecast(decision, workflow.plan, await parts.medians()))


async def conflict(parts: Parts, session: Session, why: str) -> Problem:
    """A 409 that names the state, and the route that helps."""
    detail, members = forecasts.conflict(session, why, await examine(parts, session))
    return Problem(CONFLICT, detail, extra=members)


async def examine(parts: Parts, session: Session) -> Diagnosis:
    """Ask the session doctor."""
    workflow = await workflow_of(parts, session)
    facts = [tasks.fact(row) for row in await parts.tasks.of_session(session.id)]
    return diagnose(
        session,
        facts,
        workflow.plan,
        parts.database.clock.now(),
        medians=await parts.medians(),
        held=await parts.held(),
    )


async def health(parts: Parts, session: Session) -> HealthAnswer:
    return forecasts.health(session, await examine(parts, session))


async def workflow_of(parts: Parts, session: Session) -> Workflow:
    return await parts.workflows.compiled(session.workflow)
