"""What a person says to a session: start, go on, pause, resume, cancel."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ekiden.domain.ids import TaskId
from ekiden.domain.messages import Cancel, Continue, Message, Pause, Resume, Start
from ekiden.domain.session import Session
from ekiden_gateway import commands, items
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.models.requests import ContinueSession
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.models.wire import micros
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import CONFLICT, TOO_LARGE, UNKNOWN_SESSION, UNKNOWN_TASK, Problem, documented
from ekiden_gateway.views import session as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["commands"])
DryRun = Annotated[bool, Query(alias="dryRun", description="Only say what it would do, cost and take")]
_PROBLEMS = documented(UNKNOWN_SESSION, CONFLICT, TOO_LARGE)


@router.post(
    "/{sessionId}/process-async",
    operation_id="startSession",
    status_code=202,
    response_model=CommandAnswer,
    responses=_PROBLEMS,
)
async def process_async(session: Located, parts: UsedParts) -> CommandAnswer:
    """Start a session, or go on from where it stands. Repeating it changes nothing."""
    return await commands.say(parts, session, lambda _: Start(parts.database.clock.now()))


@router.post(
    "/{sessionId}/continue-async",
    operation_id="continueSession",
    status_code=202,
    response_model=CommandAnswer,
    responses=_PROBLEMS,
)
async def continue_async(session: Located, parts: UsedParts, asked: ContinueSession | None = None) -> CommandAnswer:
    """Pass a gate or a wait, with edited items or a higher budget; or apply a finished task again."""
    asked = asked or ContinueSession()
    if asked.task_id is not None:
        return await _look(parts, session, TaskId(asked.task_id))
    workflow = await commands.workflow_of(parts, session)

    def message(loaded: Session) -> Continue:
        given = items.edited(loaded, loaded.position, asked.input, workflow) if asked.input is not None else None
        budget = micros(asked.budget_usd) if asked.budget_usd is not None else None
        return Continue(parts.database.clock.now(), given, budget)

    return await commands.say(parts, session, message)


@router.post(
    "/{sessionId}/pause",
    operation_id="pauseSession",
    status_code=202,
    response_model=CommandAnswer | DryRunAnswer,
    responses=_PROBLEMS,
)
async def pause(
    session: Located, parts: UsedParts, response: Response, dry_run: DryRun = False
) -> CommandAnswer | DryRunAnswer:
    """Stop behind the step that runs; its calls, queued ones too, run to their end and are kept."""
    return await _said(parts, session, response, Pause(parts.database.clock.now()), dry_run=dry_run)


@router.post(
    "/{sessionId}/resume",
    operation_id="resumeSession",
    status_code=202,
    response_model=CommandAnswer | DryRunAnswer,
    responses=_PROBLEMS,
)
async def resume(
    session: Located, parts: UsedParts, response: Response, dry_run: DryRun = False
) -> CommandAnswer | DryRunAnswer:
    """Go on after a pause."""
    return await _said(parts, session, response, Resume(parts.database.clock.now()), dry_run=dry_run)


@router.post(
    "/{sessionId}/cancel",
    operation_id="cancelSession",
    status_code=202,
    response_model=CommandAnswer | DryRunAnswer,
    responses=_PROBLEMS,
)
async def cancel(
    session: Located, parts: UsedParts, response: Response, dry_run: DryRun = False
) -> CommandAnswer | DryRunAnswer:
    """End a session; what is under way is cancelled at the provider, and booked."""
    return await _said(parts, session, response, Cancel(parts.database.clock.now()), dry_run=dry_run)


async def _said(
    parts: Parts, session: Session, response: Response, message: Message, *, dry_run: bool
) -> CommandAnswer | DryRunAnswer:
    if dry_run:
        response.status_code = 200
        return await commands.foresee(parts, session, message)
    return await commands.say(parts, session, lambda _: message)


async def _look(parts: Parts, session: Session, task_id: TaskId) -> CommandAnswer:
    if await parts.tasks.one(session.id, task_id) is None:
        raise Problem(UNKNOWN_TASK, f"The session {session.id} has no task {task_id}.")
    decision = await parts.relay.look(session.id)
    if decision is None:  # some of what it waits for is still on its way
        return views.command(session, changed=False)
    return await commands.answer(parts, session, decision)
