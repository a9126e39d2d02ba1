"""From what a person asked for to a schedule, and from one version of its workflow to the next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from uuid_utils import uuid7

from ekiden.domain import scheduling as rules
from ekiden.domain.cron import Cron
from ekiden.domain.forecast import usd
from ekiden.domain.schedule import Schedule
from ekiden.domain.session import Session
from ekiden.errors import ScheduleInvalid
from ekiden.workflow.package import Workflow
from ekiden_gateway import intake
from ekiden_gateway.kinds import INVALID, UNKNOWN_SCHEDULE
from ekiden_gateway.models.requests import CreateSession
from ekiden_gateway.models.schedules import CreateSchedule, EditSchedule
from ekiden_gateway.models.wire import micros
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid

log = structlog.get_logger()
MOST_SCHEDULES = 100
"""Of one owner: each is looked at by every orchestrator, and begins sessions that nobody has asked for one by one."""
Change = Callable[[Schedule], Schedule]


def new_schedule(parts: Parts, owner: str, asked: CreateSchedule) -> Schedule:
    """The schedule asked for. Raises Problem with the field."""
    cron, now = _cron(asked.cron, asked.time_zone), parts.database.clock.now()
    made = Schedule(
        id=parts.stamp.schedule_id(),
        owner=owner,
        name=asked.name,
        cron=cron,
        session=_session(parts, owner, asked.session),
        asked=_as_asked(asked.session),
        created_at=now,
        overlap=asked.overlap,
        catch_up=timedelta(seconds=asked.catch_up_seconds),
        budget=micros(asked.budget_usd) if asked.budget_usd is not None else None,
        next_at=cron.after(now),
    )
    return _affordable(made)


def edited(parts: Parts, schedule: Schedule, asked: EditSchedule) -> Schedule:
    """The schedule with what shall be otherwise. Raises Problem with the field."""
    given, now = asked.model_fields_set, parts.database.clock.now()
    changed: dict[str, Any] = {}
    if "name" in given:
        changed["name"] = asked.name
    if "catch_up_seconds" in given:
        changed["catch_up"] = timedelta(seconds=asked.catch_up_seconds)
    if "budget_usd" in given:
        changed["budget"] = micros(asked.budget_usd) if asked.budget_usd is not None else None
    if "session" in given and (wanted := _as_asked(asked.session)) != schedule.asked:
        changed |= {"session": _session(parts, schedule.owner, asked.session), "asked": wanted}
    made = replace(schedule, **changed)
    if "overlap" in given:
        made = rules.with_overlap(made, asked.overlap, now)
    if given & {"cron", "time_zone"}:
        old = schedule.cron
        expression = asked.cron if "cron" in given else old.expression
        made = rules.retimed(made, _cron(expression, asked.time_zone if "time_zone" in given else old.zone), now)
    return _affordable(made)


async def change(parts: Parts, schedule: Schedule, make: Change) -> Schedule:
    """Write a person's change; made again when something else has moved the schedule meanwhile. Raises Problem.

    One that changes nothing is not written.
    """
    while True:
        made = make(schedule)
        if made == schedule:
            return schedule
        now = parts.database.clock.now()
        saved = await parts.schedules.save(schedule, replace(made, revision=schedule.revision + 1, updated_at=now))
        if saved is not None:
            return await parts.firing.carry_out(saved) or saved if saved.decided else saved
        loaded = await parts.schedules.load(schedule.id)
        if loaded is None:
            raise unknown(schedule.id)
        schedule = loaded


async def follow(parts: Parts) -> None:
    """Let the schedules begin with the newest versions of their workflows, which this gateway has brought.

    One that the new version does not take as it was asked for keeps its own; its owner has to change it.
    """
    for name, workflow in parts.catalogue.workflows.items():
        for schedule in await parts.schedules.all_of(name):
            if schedule.session.workflow != workflow.id:
                await _follow(parts, schedule, workflow)


def order_of(key: str | None) -> str:
    """The name of a person's order: one of an Idempotency-Key is the same order each time."""
    return f"key {key}" if key is not None else str(uuid7())


def unknown(schedule_id: str) -> Problem:
    return Problem(UNKNOWN_SCHEDULE, f"There is no schedule {schedule_id}.")


async def _follow(parts: Parts, schedule: Schedule, workflow: Workflow) -> None:
    try:
        asked = CreateSession.model_validate(dict(schedule.asked))
        session = intake.new_session(parts, schedule.owner, asked, workflow)
    except (Problem, ValueError) as error:
        log.warning("schedule_kept_its_workflow", schedule_id=schedule.id, workflow=workflow.id, why=str(error))
        return
    priced = replace(session, money=schedule.session.money)  # what one may cost was said when it was made
    if await parts.schedules.save(schedule, replace(schedule, session=priced)) is not None:
        log.info("schedule_moved_to_workflow", schedule_id=schedule.id, workflow=workflow.id)


def _session(parts: Parts, owner: str, asked: CreateSession) -> Session:
    """What each session begins as; checked now, so that no tick fails for it at night."""
    try:
        return intake.new_session(parts, owner, asked, intake.workflow_of(parts, asked))
    except Problem as problem:
        if problem.kind is not INVALID:
            raise
        errors: Any = problem.extra["errors"]
        rows = [row | {"field": f"session.{row['field']}"} for row in errors]
        raise Problem(INVALID, f"session.{problem.detail}", extra={"errors": rows}) from problem


def _as_asked(session: CreateSession) -> dict[str, object]:
    return session.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"start"})


def _cron(expression: str, zone: str) -> Cron:
    try:
        return Cron.read(expression, zone)
    except ScheduleInvalid as error:
        raise invalid(error.field, error.message) from error


def _affordable(schedule: Schedule) -> Schedule:
    if schedule.budget is not None and schedule.budget < schedule.price:
        raise invalid("budgetUsd", f"is less than one session may cost, {usd(schedule.price)}: none would ever begin")
    return schedule
