"""Schedules: create, list, show, change, delete, pause and resume what begins sessions by the clock."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from ekiden.domain import scheduling as rules
from ekiden.domain.ids import SCHEDULE_ID_PATTERN, ScheduleId
from ekiden.domain.schedule import Schedule
from ekiden_gateway import intake, once, schedules
from ekiden_gateway.access import IdempotencyKey, Owner, UsedParts, once_begun
from ekiden_gateway.conditional import IfMatch, etag, must_match, tagged
from ekiden_gateway.documented import Responses, documented, header
from ekiden_gateway.kinds import (
    CHANGED_MEANWHILE,
    KEY_REUSED,
    REQUEST_RUNNING,
    TOO_MANY_SCHEDULES,
    UNKNOWN_SCHEDULE,
)
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.requests import Nothing
from ekiden_gateway.models.schedules import (
    EXAMPLE_SCHEDULE,
    CreateSchedule,
    EditSchedule,
    PauseSchedule,
    ScheduleAnswer,
    SchedulePage,
    SchedulerAnswer,
)
from ekiden_gateway.parts import Parts
from ekiden_gateway.views import schedules as views

router = APIRouter(prefix=views.BASE, tags=["schedules"])
_PLACE = header("The path of what was made", {"type": "string"})
_CREATED: Responses = {201: {"headers": {"Location": _PLACE, **tagged()[200]["headers"]}}}


SchedulePath = Annotated[
    str,
    Path(
        alias="scheduleId",
        pattern=SCHEDULE_ID_PATTERN,
        description="As it was created",
        examples=[EXAMPLE_SCHEDULE],
    ),
]


async def located(schedule_id: SchedulePath, parts: UsedParts, owner: Owner) -> Schedule:
    """The schedule of the path, if it is the caller's; another's is as unknown as none."""
    schedule = await parts.schedules.load(ScheduleId(schedule_id))
    if schedule is None or schedule.owner != owner:
        raise schedules.unknown(schedule_id)
    return schedule


Located = Annotated[Schedule, Depends(located)]
_ONE: dict[str, Any] = {"response_model": ScheduleAnswer, "responses": documented(UNKNOWN_SCHEDULE) | tagged()}


@router.post(
    "",
    operation_id="createSchedule",
    status_code=201,
    response_model=ScheduleAnswer,
    responses=documented(KEY_REUSED, REQUEST_RUNNING, TOO_MANY_SCHEDULES) | _CREATED,
    dependencies=[Depends(once_begun)],
)
async def create(
    asked: CreateSchedule, parts: UsedParts, owner: Owner, response: Response, key: IdempotencyKey
) -> ScheduleAnswer:
    """Create a schedule; its first session begins with the next tick. `session` is checked now as `create` does it.

    Under an `Idempotency-Key` there is one, and a repeated request is answered with how it stands then.
    """
    new = schedules.new_schedule(parts, owner, asked)
    known_as = intake.idempotency(key, asked.model_dump(mode="json", exclude_unset=True))
    most = schedules.MOST_SCHEDULES
    made = await once.create(parts.schedules, new, known_as, most=most, full=TOO_MANY_SCHEDULES)
    response.headers["Location"] = views.schedule_url(made.id)
    return await _answer(parts, made, response)


@router.get("", operation_id="listSchedules", response_model=SchedulePage, responses=documented())
async def page(
    parts: UsedParts,
    owner: Owner,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("schedule-cursor")] = None,
) -> SchedulePage:
    """List your schedules, newest first; `scheduler` says whether they fire by the clock."""
    found = await parts.schedules.page(owner, read_cursor(after, "sch"), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return SchedulePage(
        items=[views.summary(schedule) for schedule in found[:limit]],
        next_cursor=cursor_at(last.created_at, last.id) if last else None,
        scheduler=await scheduler(parts),
    )


@router.get("/{scheduleId}", operation_id="getSchedule", **_ONE)
async def show(schedule: Located, parts: UsedParts, response: Response) -> ScheduleAnswer:
    """Show a schedule, with its sessions that run and the money of the month.

    Its `ETag`, given as `If-Match`, keeps a change from overwriting somebody else's; ticks do not change it.
    """
    return await _answer(parts, schedule, response)


@router.patch(
    "/{scheduleId}",
    operation_id="editSchedule",
    response_model=ScheduleAnswer,
    responses=documented(UNKNOWN_SCHEDULE, CHANGED_MEANWHILE) | tagged(),
)
async def edit(
    schedule: Located, parts: UsedParts, asked: EditSchedule, response: Response, seen: IfMatch = None
) -> ScheduleAnswer:
    """Change a schedule from now on; sessions that run stay as they are. Repeating it changes nothing."""

    def make(found: Schedule) -> Schedule:
        made = schedules.edited(parts, found, asked)
        must_match(seen, etag(views.state(found)))  # after all other checks (RFC 9110, 13.2.1)
        return made

    return await _answer(parts, await schedules.change(parts, schedule, make), response)


@router.delete("/{scheduleId}", operation_id="deleteSchedule", status_code=204, responses=documented(UNKNOWN_SCHEDULE))
async def delete(schedule: Located, parts: UsedParts) -> None:
    """Delete a schedule and the record of its runs. Its sessions stay, and run on."""
    await parts.schedules.delete(schedule.id)


@router.post("/{scheduleId}/pause", operation_id="pauseSchedule", **_ONE)
async def pause(
    schedule: Located, parts: UsedParts, response: Response, asked: PauseSchedule | None = None
) -> ScheduleAnswer:
    """Let the clock begin nothing until `resume`. What runs runs on; a tick that waits in the queue is left out."""
    reason, now = asked.reason.strip() if asked else "", parts.database.clock.now()
    made = await schedules.change(parts, schedule, lambda found: rules.pause(found, now, reason))
    return await _answer(parts, made, response)


@router.post("/{scheduleId}/resume", operation_id="resumeSchedule", **_ONE)
async def resume(
    schedule: Located, parts: UsedParts, response: Response, asked: Nothing | None = None
) -> ScheduleAnswer:
    """Go on with the next tick; those of the pause are not caught up."""
    now = parts.database.clock.now()
    made = await schedules.change(parts, schedule, lambda found: rules.resume(found, now))
    return await _answer(parts, made, response)


async def _answer(parts: Parts, schedule: Schedule, response: Response) -> ScheduleAnswer:
    response.headers["ETag"] = etag(views.state(schedule))
    now = parts.database.clock.now()
    account = await parts.runs.account(schedule.id, schedule.cron.month_of(now))
    return views.whole(schedule, account, await parts.runs.running(schedule.id), now, await scheduler(parts))


async def scheduler(parts: Parts) -> SchedulerAnswer:
    return views.scheduler(await parts.schedules.last_beat(), parts.database.clock.now())
