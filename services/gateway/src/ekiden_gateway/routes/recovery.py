"""Recovery: the session doctor, and the verbs that set a session going again."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from ekiden.domain.ids import SessionId
from ekiden.domain.messages import RestartPhase, Retry, Start
from ekiden.domain.session import Session
from ekiden_gateway import commands, intake, items
from ekiden_gateway.access import IdempotencyKey, Located, UsedParts, begun
from ekiden_gateway.models.health import HealthAnswer
from ekiden_gateway.models.requests import (
    CheckHealth,
    Recovery,
    ResolveTask,
    RestartFromPhase,
    RestartSession,
    RetryStep,
)
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.models.wire import EXAMPLE_TASK
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import CONFLICT, TOO_LARGE, UNKNOWN_SESSION, documented
from ekiden_gateway.resolve import resolve
from ekiden_gateway.views import session as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["recovery"])
Answer = CommandAnswer | DryRunAnswer | HealthAnswer
_EXAMPLES = {
    "retry": {"action": "retry"},
    "restart_phase": {"action": "restart_phase", "phaseNumber": 1, "fresh": False, "dryRun": True},
    "restart_session": {"action": "restart_session"},
    "health_check": {"action": "health_check"},
    "resolve": {"action": "resolve", "taskId": EXAMPLE_TASK, "decision": "resend"},
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
    response_model=Answer,
    responses=documented(UNKNOWN_SESSION, CONFLICT, TOO_LARGE),
)
async def recover(
    session: Located,
    parts: UsedParts,
    asked: Annotated[Recovery, Body(openapi_examples={name: {"value": body} for name, body in _EXAMPLES.items()})],
    response: Response,
    key: IdempotencyKey = None,
) -> Answer:
    """Set a session going again; with `dryRun` only say what that would do, reuse, cost and take."""
    if asked.dry_run or isinstance(asked, CheckHealth):
        response.status_code = 200
    known_as = intake.idempotency(key, asked.model_dump(mode="json"))
    match asked:
        case CheckHealth():
            return await commands.health(parts, session)
        case ResolveTask():
            return await resolve(parts, session, asked, known_as)
        case RestartSession():
            return await _restart_session(parts, session, asked, response, key)
        case RetryStep():
            retry = Retry(parts.database.clock.now())
            return await commands.hear(parts, session, lambda _: retry, response, known_as, dry_run=asked.dry_run)
        case RestartFromPhase():
            restart = await _restart(parts, session, asked)
            return await commands.hear(parts, session, lambda _: restart, response, known_as, dry_run=asked.dry_run)


async def _restart(parts: Parts, session: Session, asked: RestartFromPhase) -> RestartPhase:
    given = None
    if asked.input is not None:
        workflow = await commands.workflow_of(parts, session)
        given = items.edited(session, items.fan_out_of(asked.phase_number, workflow), asked.input, workflow)
    return RestartPhase(parts.database.clock.now(), asked.phase_number, given, asked.fresh)


async def _restart_session(
    parts: Parts, session: Session, asked: RestartSession, response: Response, key: str | None
) -> Answer:
    following = intake.successor(parts, session)
    if asked.dry_run:
        return await commands.foresee(parts, following, Start(following.created_at))
    begun(parts)
    known_as = intake.idempotency(key, {"restart_session": session.id})
    created = await intake.store(parts, following, known_as, start=True)
    response.headers["Location"] = created.url
    stored = await parts.sessions.load(
        following.id if created.session_id == following.id else SessionId(created.session_id)
    )
    return views.command(stored or following, changed=True)
