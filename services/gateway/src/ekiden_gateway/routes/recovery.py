"""Recovery: the session doctor, and the verbs that set a session going again."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from ekiden.domain.ids import SessionId
from ekiden.domain.messages import RestartPhase, Retry, Start
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import Session
from ekiden.store.sessions import Idempotency
from ekiden_gateway import commands, intake, items
from ekiden_gateway.access import IdempotencyKey, Located, UsedParts, begun
from ekiden_gateway.documented import BEGINNING, COMMAND, Responses, documented, header
from ekiden_gateway.kinds import UNKNOWN_SESSION, UNKNOWN_TASK
from ekiden_gateway.models.health import HealthAnswer
from ekiden_gateway.models.requests import (
    CheckHealth,
    Recovery,
    ResolveAll,
    ResolveTask,
    RestartFromPhase,
    RestartSession,
    RetryStep,
)
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.models.wire import EXAMPLE_TASK
from ekiden_gateway.parts import Parts
from ekiden_gateway.resolve import resolve
from ekiden_gateway.resolve_all import resolve_all
from ekiden_gateway.views.session import BASE, session_url

router = APIRouter(prefix=BASE, tags=["recovery"])
Answer = CommandAnswer | DryRunAnswer | HealthAnswer
_RECOVERED: Responses = documented(UNKNOWN_SESSION, UNKNOWN_TASK, *COMMAND, *BEGINNING) | {
    200: {
        "model": DryRunAnswer | HealthAnswer,
        "description": "With `dryRun`: what it would do, nothing was done. For `health_check`: what `GET` says",
    },
    202: {"headers": {"Location": header("Of restart_session: the new session", {"type": "string"}, required=False)}},
}
_EXAMPLES = {
    "retry": {"action": "retry"},
    "restart_phase": {"action": "restart_phase", "phaseNumber": 1, "fresh": False, "dryRun": True},
    "restart_session": {"action": "restart_session"},
    "health_check": {"action": "health_check"},
    "resolve": {"action": "resolve", "taskId": EXAMPLE_TASK, "decision": "resend"},
    "resolve_all": {"action": "resolve_all", "decision": "resend", "dryRun": True},
}


@router.get(
    "/{sessionId}/recover",
    operation_id="checkHealth",
    response_model=HealthAnswer,
    responses=documented(UNKNOWN_SESSION),
)
async def health(session: Located, parts: UsedParts) -> HealthAnswer:
    """Say what a session waits for and since when, and what helps at what price."""
    return await commands.health(parts, session)


@router.post(
    "/{sessionId}/recover",
    operation_id="recoverSession",
    status_code=202,
    response_model=CommandAnswer,
    responses=_RECOVERED,
)
async def recover(
    session: Located,
    parts: UsedParts,
    asked: Annotated[Recovery, Body(openapi_examples={name: {"value": body} for name, body in _EXAMPLES.items()})],
    response: Response,
    key: IdempotencyKey,
) -> CommandAnswer | Response:
    """Set a session going again; with `dryRun` only say what that would do, reuse, cost and take."""
    if isinstance(asked, RestartSession) and not asked.dry_run:
        begun(parts)
        restarted = await _restart_session(parts, session, key)
        response.headers["Location"] = session_url(restarted.session_id)
        return restarted
    known_as = intake.idempotency(key, asked)
    return commands.told(await _recover(parts, session, asked, known_as))


async def _recover(parts: Parts, session: Session, asked: Recovery, known_as: Idempotency | None) -> Answer:
    match asked:
        case CheckHealth():
            return await commands.health(parts, session)
        case ResolveTask():
            return await resolve(parts, session, asked, known_as)
        case ResolveAll():
            return await resolve_all(parts, session, asked, known_as)
        case RestartSession():
            following = intake.successor(parts, session)
            return await commands.foresee(parts, following, Start(following.created_at))
        case RetryStep():
            retry = Retry(parts.database.clock.now())
            return await commands.hear(parts, session, lambda _: retry, known_as, dry_run=asked.dry_run)
        case RestartFromPhase():
            restart = await _restart(parts, session, asked)
            return await commands.hear(parts, session, lambda _: restart, known_as, dry_run=asked.dry_run)


async def _restart(parts: Parts, session: Session, asked: RestartFromPhase) -> RestartPhase:
    given = None
    if asked.input is not None:
        workflow = await commands.workflow_of(parts, session)
        given = items.edited(session, items.fan_out_of(asked.phase_number, workflow), asked.input, workflow)
    return RestartPhase(parts.database.clock.now(), asked.phase_number, given, asked.fresh)


async def _restart_session(parts: Parts, session: Session, key: str | None) -> CommandAnswer:
    known_as = intake.idempotency(key, {"restart_session": session.id})
    created = await intake.store(parts, intake.successor(parts, session), known_as, start=True)
    stored = await parts.sessions.load(SessionId(created.session_id))
    return await commands.answer(parts, session, Decision(Verdict.MOVED, stored) if stored else None)
