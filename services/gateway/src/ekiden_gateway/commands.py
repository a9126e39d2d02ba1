"""A person's commands: said to the session through the relay, or with `dryRun` only decided."""

from collections.abc import Callable, Sequence

from fastapi import Response

from ekiden.domain.decider import decide
from ekiden.domain.diagnosis import Diagnosis, diagnose
from ekiden.domain.forecast import coming, forecast
from ekiden.domain.messages import Message
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import ACTIVE, Session
from ekiden.store.database import Document
from ekiden.store.sessions import Actor, ActorKind, Idempotency
from ekiden.store.task_facts import facts
from ekiden.workflow.package import Workflow
from ekiden_gateway.admission import admit
from ekiden_gateway.kinds import CONFLICT, UNKNOWN_SESSION
from ekiden_gateway.models.health import HealthAnswer
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.surroundings import Queues
from ekiden_gateway.views import forecast as forecasts
from ekiden_gateway.views import session as views

MakeMessage = Callable[[Session], Message]


async def hear(
    parts: Parts,
    session: Session,
    make: MakeMessage,
    known_as: Idempotency | None,
    *,
    dry_run: bool,
) -> CommandAnswer | DryRunAnswer:
    """Do what a person says, or with `dry_run` answer what it would do."""
    if not dry_run:
        return await say(parts, session, make, known_as)
    return await foresee(parts, session, make(session))


def told(answer: CommandAnswer | DryRunAnswer | HealthAnswer) -> CommandAnswer | Response:
    """As a route answers it: 202 when something was said to the session, 200 when it was only a question."""
    if isinstance(answer, CommandAnswer):
        return answer
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")


async def say(parts: Parts, session: Session, make: MakeMessage, known_as: Idempotency | None = None) -> CommandAnswer:
    """Say something to a session; answers where it stands then.

    Raises Problem when the state forbids it, or when it would begin and there is no room; KeyReused.
    """
    await admit(parts, session, make(session), known_as)
    fresh = session if known_as is None else None  # it was loaded before its request's turn had come
    decision = await parts.relay.say(session.id, make, known_as, key_of(session), loaded=fresh)
    return await answer(parts, session, decision)


def key_of(session: Session) -> Actor:
    """Whoever came in with a key of the session's owner."""
    return Actor(ActorKind.KEY, session.owner)


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
    orders = coming(decision, workflow.plan)
    cached = await parts.relay.cached(decision.session, orders, parts.settings.search_cache_seconds)
    return forecasts.dry_run(decision, forecast(decision, workflow.plan, await parts.around.medians(), cached))


async def conflict(parts: Parts, session: Session, why: str) -> Problem:
    """A 409 that names the state, and the route that helps."""
    detail, members = forecasts.conflict(session, why, await examine(parts, session))
    return Problem(CONFLICT, detail, extra=members)


async def examine(parts: Parts, session: Session, ledger: Sequence[Document] | None = None) -> Diagnosis:
    """Ask the session doctor; `ledger` are the session's tasks, when they have been loaded already."""
    workflow = await workflow_of(parts, session)
    documents = ledger if ledger is not None else await parts.tasks.of_session(session.id)
    queues = await parts.around.queues() if session.status in ACTIVE else Queues({}, None)
    return diagnose(
        session,
        await facts(parts.tasks, documents),
        workflow.plan,
        parts.database.clock.now(),
        medians=await parts.around.medians(),
        held=await parts.around.held(),
        queues=queues.workers,
        orchestrators=queues.orchestrators,
    )


async def health(parts: Parts, session: Session) -> HealthAnswer:
    return forecasts.health(session, await examine(parts, session))


async def workflow_of(parts: Parts, session: Session) -> Workflow:
    return await parts.workflows.compiled(session.workflow)
