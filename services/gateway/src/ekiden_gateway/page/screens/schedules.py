"""Schedules: what begins sessions by the clock. Looked at before it is saved: when it ticks, and what a month costs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import ValidationError

from ekiden.domain.schedule import Overlap, Schedule
from ekiden.domain.told import told
from ekiden.workflow.package import Workflow
from ekiden_gateway import schedules
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.catalogue import DEFAULT
from ekiden_gateway.conditional import etag
from ekiden_gateway.kinds import INVALID, NOT_FOUND
from ekiden_gateway.models.schedule_runs import PreviewAnswer
from ekiden_gateway.models.schedules import CreateSchedule, EditSchedule, PauseSchedule
from ekiden_gateway.models.wire import usd
from ekiden_gateway.page.filled import Filled, mistaken
from ekiden_gateway.page.forms import Form, WrittenForm, new_key
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.screens import start
from ekiden_gateway.page.visitor import Known, Visitor
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.routes import schedule_runs as runs
from ekiden_gateway.routes import schedules as routes
from ekiden_gateway.views import schedules as views

router = router()
ROWS = 25
TICKS = 5
_NAMES = {"timeZone": "zone", "budgetUsd": "month", "catchUpSeconds": "catch_up"}
_UNSHOWN = ("autoAdvance", "gateTimeout", "webhookUrl", "metadata")
"""What `create` takes and the form has no field for: an edit leaves it as it was."""
_ZONES = ("Asia/Tokyo", "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles")
Cursor = Annotated[str, Query(max_length=200)]


async def of_visitor(schedule_id: routes.SchedulePath, parts: UsedParts, visitor: Known) -> Schedule:
    return await routes.located(schedule_id, parts, visitor.owner)


Shown = Annotated[Schedule, Depends(of_visitor)]


@router.get("/schedules")
async def listed(parts: UsedParts, visitor: Known, cursor: Cursor = "") -> Response:
    found = await routes.page(parts, visitor.owner, ROWS, cursor or None)
    return page(visitor, "schedules.html.j2", here="schedules", found=found)


@router.get("/schedules/new")
async def blank(parts: UsedParts, visitor: Known, workflow: str = DEFAULT) -> Response:
    zone = _ZONES[0] if visitor.words.language == "ja" else "UTC"
    values = {"workflow": [workflow], "zone": [zone], "cron": ["0 9 * * MON-FRI"], "catch_up": ["3600"]}
    return await _form(parts, visitor, Filled(values | start.gates(_workflow(parts, workflow)), {}), None)


@router.post("/schedules/new")
async def make(parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """Show what a schedule would do, or save it. What is wrong is said beside its field."""
    begun(parts)
    try:
        asked = CreateSchedule.model_validate(_asked(parts, form))
        if form.text("do") != "save":
            seen = await _preview(parts, schedules.new_schedule(parts, visitor.owner, asked))
            return await _form(parts, visitor, Filled(form.fields, {}, posted=True), None, seen)
        made = await routes.create(asked, parts, visitor.owner, Response(), form.key)
    except (ValidationError, Problem) as error:
        return await _form(
            parts, visitor, Filled(form.fields, _mistakes(error), posted=True), None, code=INVALID.status
        )
    return go_to(f"/schedules/{made.schedule_id}")


@router.get("/schedules/{scheduleId}")
async def one(schedule: Shown, parts: UsedParts, visitor: Known, cursor: Cursor = "") -> Response:
    return page(
        visitor,
        "schedule.html.j2",
        here="schedules",
        schedule=await routes.show(schedule, parts, Response()),
        ahead=await _preview(parts, schedule),
        runs=await runs.runs(schedule, parts, ROWS, cursor or None),
        key=new_key(),
    )


@router.get("/schedules/{scheduleId}/edit")
async def filled_in(schedule: Shown, parts: UsedParts, visitor: Known) -> Response:
    return await _form(parts, visitor, Filled(_values(schedule), {}), schedule)


@router.post("/schedules/{scheduleId}/edit")
async def edit(schedule: Shown, parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """The same for one that is there; somebody else's change since the form was shown is not overwritten."""
    begun(parts)
    try:
        asked = EditSchedule.model_validate(_asked(parts, form, schedule))
        if form.text("do") != "save":
            seen = await _preview(parts, schedules.edited(parts, schedule, asked))
            return await _form(parts, visitor, Filled(form.fields, {}, posted=True), schedule, seen)
        await routes.edit(schedule, parts, asked, Response(), form.text("seen") or None)
    except (ValidationError, Problem) as error:
        return await _form(
            parts, visitor, Filled(form.fields, _mistakes(error), posted=True), schedule, code=INVALID.status
        )
    return go_to(f"/schedules/{schedule.id}")


@router.post("/schedules/{scheduleId}/{what}")
async def turn(schedule: Shown, parts: UsedParts, form: WrittenForm, what: str) -> Response:
    begun(parts)
    match what:
        case "pause":
            await routes.pause(schedule, parts, Response(), PauseSchedule(reason=form.text("reason")[:500]))
        case "resume":
            await routes.resume(schedule, parts, Response())
        case "fire":
            fired = await runs.fire(schedule, parts, Response(), form.key)
            if fired.session_id is not None:
                return go_to(f"/sessions/{fired.session_id}")
        case "delete":
            await routes.delete(schedule, parts)
            return go_to("/schedules")
        case _:
            raise Problem(NOT_FOUND)
    return go_to(f"/schedules/{schedule.id}")


async def _preview(parts: Parts, schedule: Schedule) -> PreviewAnswer:
    return await runs.preview(schedule, parts, TICKS)


async def _form(
    parts: Parts,
    visitor: Visitor,
    filled: Filled,
    schedule: Schedule | None,
    seen: PreviewAnswer | None = None,
    code: int = 200,
) -> Response:
    return page(
        visitor,
        "schedule_form.html.j2",
        code,
        here="schedules",
        **start.wishes(
            parts,
            visitor,
            _workflow(parts, filled.value("workflow")),
            schedule.session.wishes.pause_before if schedule else (),
        ),
        filled=filled,
        schedule=views.summary(schedule) if schedule else None,
        tag=etag(views.state(schedule)) if schedule else "",
        seen=seen,
        overlaps=list(Overlap),
        zones=_ZONES,
        key=new_key(),
    )


def _workflow(parts: Parts, name: str) -> Workflow:
    return start.named(parts, name or DEFAULT)


def _asked(parts: Parts, form: Form, before: Schedule | None = None) -> dict[str, object]:
    """As the body of the API's routes; what no field shows stays as it was asked for before. Raises Problem."""
    workflow = _workflow(parts, form.text("workflow"))
    try:
        session = start.asked(form, workflow)
    except Problem:
        raise invalid("session.budgetUsd", told("is no number")) from None
    kept: Mapping[str, object] = before.asked if before else {}
    return {
        "name": form.text("name"),
        "cron": form.text("cron"),
        "timeZone": form.text("zone"),
        "overlap": form.text("overlap"),
        "catchUpSeconds": _number("catchUpSeconds", form.text("catch_up")),
        "budgetUsd": _number("budgetUsd", form.text("month")) if form.text("month") else None,
        "session": {name: kept[name] for name in _UNSHOWN if name in kept} | session,
    }


def _values(schedule: Schedule) -> Mapping[str, list[str]]:
    """A schedule as its form shows it."""
    inputs = {f"input-{name}": [start.written(value)] for name, value in schedule.session.input.items()}
    return inputs | {
        "workflow": [schedule.session.workflow.partition("@")[0]],
        "name": [schedule.name],
        "cron": [schedule.cron.expression],
        "zone": [schedule.cron.zone],
        "overlap": [schedule.overlap.value],
        "catch_up": [str(schedule.catch_up // timedelta(seconds=1))],
        "month": [f"{usd(schedule.budget):g}"] if schedule.budget is not None else [],
        "language": [schedule.session.language],
        "budget": [f"{usd(schedule.price):g}"],
        "pause_after": [str(phase) for phase in sorted(schedule.session.wishes.pause_after)],
        "pause_before": [str(place) for place in schedule.session.wishes.pause_before],
    }


def _mistakes(error: ValidationError | Problem) -> Mapping[str, str]:
    """What is wrong, by the names of the form's fields."""
    found: dict[str, str] = {}
    for place, said in mistaken(error).items():
        names = start.NAMES if place.startswith("session.") else _NAMES
        name = place.removeprefix("session.").split(".")[0]
        found[names.get(name, name)] = said
    return found


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid(field, told("is no number")) from None
