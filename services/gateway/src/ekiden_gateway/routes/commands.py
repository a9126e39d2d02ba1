"""What a person says to a session: start, go on, pause, resume, cancel."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from ekiden.domain.gate import stands_at
from ekiden.domain.ids import TaskId
from ekiden.domain.messages import Cancel, Continue, Pause, Resume, Start
from ekiden.domain.session import Session
from ekiden_gateway import commands, intake, items
from ekiden_gateway.access import IdempotencyKey, Located, UsedParts
from ekiden_gateway.documented import BEGINNING, COMMAND, Responses, documented
from ekiden_gateway.kinds import UNKNOWN_SESSION, UNKNOWN_TASK
from ekiden_gateway.models.requests import ContinueSession, Nothing
from ekiden_gateway.models.sessions import CommandAnswer, DryRunAnswer
from ekiden_gateway.models.wire import micros
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import session as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["commands"])
DryRun = Annotated[bool, Query(alias="dryRun", description="Only say what it would do, cost and take")]
FORESEEN: Responses = {200: {"model": DryRunAnswer, "description": "With `dryRun`: what it would do"}}
_PROBLEMS = documented(UNKNOWN_SESSION, *COMMAND)
_SAID: dict[str, Any] = {"status_code": 202, "response_model": CommandAnswer, "responses": _PROBLEMS}
_STARTED: dict[str, Any] = _SAID | {"responses": documented(UNKNOWN_SESSION, *COMMAND, *BEGINNING)}
_WORD: dict[str, Any] = _SAID | {"responses": _PROBLEMS | FORESEEN}


@dataclass(frozen=True)
class Word:
    """A word without a body: to which session, under which key, and whether it is only a question."""

    session: Session
    parts: Parts
    key: str | None
    dry_run: bool = False

    async def say(self, kind: type[Pause | Resume | Cancel]) -> CommandAnswer | Response:
        known_as = intake.idempotency(self.key, {"command": kind.__name__})
        now = self.parts.database.clock.now()
        heard = commands.hear(self.parts, self.session, lambda _: kind(now), known_as, dry_run=self.dry_run)
        return commands.told(await heard)


async def word(
    session: Located, parts: UsedParts, key: IdempotencyKey, asked: Nothing | None = None, dry_run: DryRun = False
) -> Word:
    return Word(session, parts, key, dry_run)


Said = Annotated[Word, Depends(word)]


@router.post("/{sessionId}/process-async", operation_id="startSession", **_STARTED)
async def process_async(
    session: Located, parts: UsedParts, key: IdempotencyKey, asked: Nothing | None = None
) -> CommandAnswer:
    """Start a session, or go on from where it stands. Repeating it changes nothing, with or without a key.

    PENDING: it starts. THINKING, EXECUTING, INTEGRATING, COMPLETED, and WAITING for `retry`: 202, `changed` is false,
    nothing is ordered or bought. FAILED: as `retry`, the failed tasks are ordered again. WAITING for `approval`,
    `budget`, `outcome_unknown` or `paused`, and CANCELLED: 409 naming what helps. Of many starts at once one counts.
    """
    known_as = intake.idempotency(key, {"command": Start.__name__})
    return await commands.say(parts, session, lambda _: Start(parts.database.clock.now()), known_as)


@router.post(
    "/{sessionId}/continue-async",
    operation_id="continueSession",
    status_code=202,
    response_model=CommandAnswer,
    responses=documented(UNKNOWN_SESSION, UNKNOWN_TASK, *COMMAND),
)
async def continue_async(
    session: Located, parts: UsedParts, key: IdempotencyKey, asked: ContinueSession | None = None
) -> CommandAnswer:
    """Pass a gate or a wait, with edited items or a higher budget; or apply a finished task again.

    With `gate` only that gate is passed: when somebody else has passed it, nothing happens to the next.
    """
    asked = asked or ContinueSession()
    if asked.task_id is not None:
        return await _look(parts, session, TaskId(asked.task_id))
    workflow = await commands.workflow_of(parts, session)

    def message(loaded: Session) -> Continue:
        here = asked.gate is None or stands_at(loaded, asked.gate, workflow.plan)  # else it is refused as a whole
        position = loaded.position if here else None
        given = items.edited(loaded, position, asked.input, workflow) if asked.input is not None else None
        budget = micros(asked.budget_usd) if asked.budget_usd is not None else None
        return Continue(parts.database.clock.now(), given, budget, asked.gate)

    known_as = intake.idempotency(
        key, {"command": Continue.__name__, **asked.model_dump(mode="json", exclude_defaults=True)}
    )
    return await commands.say(parts, session, message, known_as)


@router.post("/{sessionId}/pause", operation_id="pauseSession", **_WORD)
async def pause(word: Said) -> CommandAnswer | Response:
    """Stop behind the step that runs; its calls, queued ones too, run to their end and are kept."""
    return await word.say(Pause)


@router.post("/{sessionId}/resume", operation_id="resumeSession", **_WORD)
async def resume(word: Said) -> CommandAnswer | Response:
    """Go on after a pause."""
    return await word.say(Resume)


@router.post("/{sessionId}/cancel", operation_id="cancelSession", **_WORD)
async def cancel(word: Said) -> CommandAnswer | Response:
    """End a session; what is under way is cancelled at the provider, and booked."""
    return await word.say(Cancel)


async def _look(parts: Parts, session: Session, task_id: TaskId) -> CommandAnswer:
    if await parts.tasks.one(session.id, task_id) is None:
        raise Problem(UNKNOWN_TASK, f"The session {session.id} has no task {task_id}.")
    decision = await parts.relay.look(session.id)
    if decision is None:  # some of what it waits for is still on its way
        return views.command(session, changed=False)
    return await commands.answer(parts, session, decision)
