"""What a schedule begins: a person's order, a preview of its ticks, and the record of what became of them."""

import asyncio
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from ekiden.domain.forecast import remaining
from ekiden.domain.messages import Start
from ekiden.domain.schedule import Outcome, Reason, Schedule
from ekiden.domain.session import Session
from ekiden.store.session_document import from_document
from ekiden_gateway import schedules
from ekiden_gateway.access import IdempotencyKey, UsedParts, once_begun
from ekiden_gateway.admission import admit
from ekiden_gateway.documented import BEGINNING, Responses, documented, header
from ekiden_gateway.kinds import REQUEST_RUNNING, SCHEDULE_NOT_FIRED, UNKNOWN_SCHEDULE
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.requests import Nothing
from ekiden_gateway.models.schedule_runs import FiredAnswer, PreviewAnswer, RunPage
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes.schedules import Located, scheduler
from ekiden_gateway.views import schedules as views

router = APIRouter(prefix=views.BASE, tags=["schedules"])
MONTH = timedelta(days=30)
_REFUSED = {
    Reason.OVERLAP: "a session of it is not over, and its overlap policy is {policy}",
    Reason.BUDGET: "what is left of its {budget} USD for the month is less than the {price} USD one session may cost",
    Reason.PAUSED: "the order waited, and was left out when the schedule was paused",
}
_FIRED: Responses = {
    202: {"headers": {"Location": header("Of `fired`: the session", {"type": "string"}, required=False)}}
}


@router.post(
    "/{scheduleId}/fire",
    operation_id="fireSchedule",
    status_code=202,
    response_model=FiredAnswer,
    responses=documented(UNKNOWN_SCHEDULE, SCHEDULE_NOT_FIRED, REQUEST_RUNNING, *BEGINNING) | _FIRED,
    dependencies=[Depends(once_begun)],
)
async def fire(
    schedule: Located, parts: UsedParts, response: Response, key: IdempotencyKey, asked: Nothing | None = None
) -> FiredAnswer:
    """Begin one session now, also of a paused schedule and with the scheduler off; under its `Idempotency-Key` once.

    The overlap policy and the budget hold: 409 when they say that nothing begins. So does the client's quota.
    """

    async def room(session: Session) -> None:
        await admit(parts, session, Start(session.created_at), None, stored=False)

    found = await parts.firing.fire(schedule.id, schedules.order_of(key), room)
    if found is None:
        raise schedules.unknown(schedule.id)
    then, run = found
    if run.outcome is Outcome.SKIPPED:
        raise _not_fired(then, run.reason or Reason.OVERLAP)
    answer = views.fired(then, run, await scheduler(parts))
    if answer.url is not None:
        response.headers["Location"] = answer.url
    return answer


@router.get(
    "/{scheduleId}/preview",
    operation_id="previewSchedule",
    response_model=PreviewAnswer,
    responses=documented(UNKNOWN_SCHEDULE),
)
async def preview(
    schedule: Located, parts: UsedParts, count: Annotated[int, Query(ge=1, le=100, description="How many ticks")] = 10
) -> PreviewAnswer:
    """Say when the next ticks come, in UTC and on the clocks of its zone, and what a session and a month may cost."""
    now = parts.database.clock.now()
    ticks, runs = await asyncio.to_thread(_coming, schedule, now, count)  # a tick a minute is some 40,000 a month
    workflow = await parts.workflows.compiled(schedule.session.workflow)
    calls = remaining(schedule.session, workflow.plan, await parts.around.medians())
    account = await parts.runs.account(schedule.id, schedule.cron.month_of(now))
    return views.preview(schedule, ticks, runs, calls, account, await scheduler(parts))


@router.get(
    "/{scheduleId}/runs", operation_id="listRuns", response_model=RunPage, responses=documented(UNKNOWN_SCHEDULE)
)
async def runs(
    schedule: Located,
    parts: UsedParts,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("run-cursor")] = None,
) -> RunPage:
    """List what became of each tick, the latest first: fired with its session, queued, skipped, missed.

    Kept for ninety days.
    """
    found = await parts.runs.page(schedule.id, read_cursor(after, "run"), limit + 1)
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    sessions = await _sessions(parts, [row["sessionId"] for row in shown if row["sessionId"]])
    return RunPage(
        items=[views.run(row, sessions.get(row["sessionId"])) for row in shown],
        next_cursor=cursor_at(last["at"], last["_id"]) if last else None,
        scheduler=await scheduler(parts),
    )


async def _sessions(parts: Parts, ids: list[str]) -> dict[str, Session]:
    found = await parts.sessions.page({"_id": {"$in": ids}}, None, len(ids)) if ids else []
    return {document["_id"]: from_document(document) for document in found}


def _coming(schedule: Schedule, now: datetime, count: int) -> tuple[list[datetime], int]:
    """The next ticks, and how many there are in a month."""
    ticks = list(islice(schedule.cron.since(now), count))
    return ticks, sum(1 for _ in takewhile(lambda at: at <= now + MONTH, schedule.cron.since(now)))


def _not_fired(schedule: Schedule, reason: Reason) -> Problem:
    budget = (schedule.budget or 0) / 1_000_000
    why = _REFUSED[reason].format(policy=schedule.overlap, budget=budget, price=schedule.price / 1_000_000)
    return Problem(SCHEDULE_NOT_FIRED, f"Nothing was begun: {why}.")
