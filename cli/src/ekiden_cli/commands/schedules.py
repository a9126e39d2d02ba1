"""`ekiden schedules`: sessions that begin by the clock."""

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar, cast

import typer

from ekiden_cli.commands.options import Cursor, InputWords, Json, Limit, ListsByDefault, with_gateway
from ekiden_cli.completion import languages, platforms, schedule_ids, styles, workflow_names
from ekiden_cli.inputs import further_inputs, read_inputs
from ekiden_cli.pages import tell_page
from ekiden_cli.schedule_lines import preview_lines, run_line, schedule_line, schedule_lines, scheduler_lines
from ekiden_cli.terminal import Terminal
from ekiden_client import KEPT, EkidenClient, Overlap, Schedule
from ekiden_client.models.document import Document

D = TypeVar("D", bound=Document)

app = typer.Typer(cls=ListsByDefault, help="Let sessions begin by the clock, and see what became of each tick.")

ScheduleId = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="The schedule's id, sch_0199….", autocompletion=schedule_ids)
]
Zone = Annotated[str | None, typer.Option("--time-zone", help="On whose clocks, for example Asia/Tokyo.")]
OverlapOption = Annotated[Overlap | None, typer.Option(help="What a tick does while a session still runs.")]
CatchUp = Annotated[
    int | None, typer.Option("--catch-up", min=0, metavar="SECONDS", help="For how long a late tick has its turn.")
]
MonthUsd = Annotated[
    float | None,
    typer.Option("--budget", min=0.0, metavar="USD", help="The most it may spend in a month; 0: no bound."),
]
SessionFile = Annotated[
    typer.FileText | None,
    typer.Option(
        "--session", metavar="FILE", help="The body that sessions are created with, as JSON; - is standard input."
    ),
]


@app.command("list")
def list_schedules(limit: Limit = 20, cursor: Cursor = None, as_json: Json = False) -> None:
    """List your schedules, newest first."""
    terminal = Terminal(as_json)
    page = with_gateway(lambda gateway: gateway.schedules.page(limit=limit, cursor=cursor))
    tell_page(page, schedule_line, terminal, more="ekiden schedules list", empty="There are no schedules.")
    if page.items and not as_json:
        _say(scheduler_lines(page.scheduler), terminal)


@app.command("create")
def create_schedule(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    cron: Annotated[str, typer.Option(help="When: '0 9 * * MON-FRI' is nine o'clock on working days.")],
    time_zone: Annotated[str, typer.Option(help="On whose clocks, for example Asia/Tokyo.")],
    theme: Annotated[str | None, typer.Option(help="What the posts are about.")] = None,
    style: Annotated[str | None, typer.Option(autocompletion=styles, help="As in `ekiden run`.")] = None,
    platform: Annotated[str | None, typer.Option(autocompletion=platforms, help="As in `ekiden run`.")] = None,
    language: Annotated[str | None, typer.Option(autocompletion=languages, help="As in `ekiden run`.")] = None,
    workflow: Annotated[str | None, typer.Option(autocompletion=workflow_names, help="As in `ekiden run`.")] = None,
    inputs: InputWords = None,
    session_budget: Annotated[
        float | None, typer.Option(min=0.01, metavar="USD", help="The most that one session may spend.")
    ] = None,
    session: SessionFile = None,
    overlap: OverlapOption = None,
    catch_up: CatchUp = None,
    budget: MonthUsd = None,
    as_json: Json = False,
) -> None:
    """Let sessions begin at every tick of a cron expression. Options say what they are about, or a --session file."""
    options = {"theme": theme, "style": style, "platform": platform, "language": language, "workflow": workflow}
    options_given = {
        key: value for key, value in (options | {"budgetUsd": session_budget}).items() if value is not None
    }
    wish = (_body(session) if session else {}) | options_given
    typed = read_inputs(inputs or ())

    async def job(gateway: EkidenClient) -> Schedule:
        given = await further_inputs(gateway, str(wish.get("workflow") or "") or None, typed)
        return await gateway.schedules.create(
            name, cron, time_zone, wish | given, overlap=overlap, catch_up_seconds=catch_up, budget_usd=budget or None
        )

    _show(with_gateway(job), schedule_lines, Terminal(as_json))


@app.command()
def show(schedule: ScheduleId, as_json: Json = False) -> None:
    """Show a schedule, the sessions that run, and the money of the month."""
    _show(with_gateway(lambda gateway: gateway.schedules.get(schedule)), schedule_lines, Terminal(as_json))


@app.command()
def edit(
    schedule: ScheduleId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    cron: Annotated[str | None, typer.Option(help="When, from now on.")] = None,
    time_zone: Zone = None,
    session: SessionFile = None,
    overlap: OverlapOption = None,
    catch_up: CatchUp = None,
    budget: MonthUsd = None,
    as_json: Json = False,
) -> None:
    """Change what is named, from now on. A --session file replaces what sessions are created with as a whole."""
    body = _body(session) if session else None
    if all(value is None for value in (name, cron, time_zone, body, overlap, catch_up, budget)):
        raise typer.BadParameter("name what is to be changed")

    async def job(gateway: EkidenClient) -> Schedule:
        return await gateway.schedules.edit(
            schedule,
            name=KEPT if name is None else name,
            cron=KEPT if cron is None else cron,
            time_zone=KEPT if time_zone is None else time_zone,
            session=KEPT if body is None else body,
            overlap=KEPT if overlap is None else overlap,
            catch_up_seconds=KEPT if catch_up is None else catch_up,
            budget_usd=KEPT if budget is None else budget or None,
        )

    _show(with_gateway(job), schedule_lines, Terminal(as_json))


@app.command()
def delete(schedule: ScheduleId, as_json: Json = False) -> None:
    """Delete a schedule. Its sessions stay, and run on."""
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> None:
        await gateway.schedules.delete(schedule)

    with_gateway(job)
    if as_json:
        terminal.give({"scheduleId": schedule, "deleted": True})
    else:
        terminal.say(f"{schedule} is deleted. Its sessions stay.")


@app.command()
def pause(
    schedule: ScheduleId,
    reason: Annotated[str, typer.Option(help="Shown with it.")] = "",
    as_json: Json = False,
) -> None:
    """Let no tick begin anything until you resume it; none of them is caught up."""
    found = with_gateway(lambda gateway: gateway.schedules.pause(schedule, reason))
    _show(found, schedule_lines, Terminal(as_json))


@app.command()
def resume(schedule: ScheduleId, as_json: Json = False) -> None:
    """Let a paused schedule go on with its next tick."""
    _show(with_gateway(lambda gateway: gateway.schedules.resume(schedule)), schedule_lines, Terminal(as_json))


@app.command()
def fire(schedule: ScheduleId, as_json: Json = False) -> None:
    """Begin a session now, whatever the clock says."""
    terminal = Terminal(as_json)
    fired = with_gateway(lambda gateway: gateway.schedules.fire(schedule))
    if as_json:
        terminal.give(fired.raw)
    elif fired.session_id:
        terminal.say(f"{fired.session_id} has begun. Watch it: ekiden sessions watch {fired.session_id}")
    else:
        terminal.say("It is queued: a session begins when the one before has ended.")


@app.command()
def preview(
    schedule: ScheduleId,
    count: Annotated[int | None, typer.Option(min=1, help="So many ticks.")] = None,
    as_json: Json = False,
) -> None:
    """Show the next ticks, and what a session and thirty days may cost."""
    found = with_gateway(lambda gateway: gateway.schedules.preview(schedule, count=count))
    _show(found, preview_lines, Terminal(as_json))


@app.command()
def runs(schedule: ScheduleId, limit: Limit = 20, cursor: Cursor = None, as_json: Json = False) -> None:
    """List what became of each tick, the latest first."""
    page = with_gateway(lambda gateway: gateway.schedules.runs(schedule, limit=limit, cursor=cursor))
    more = f"ekiden schedules runs {schedule}"
    tell_page(page, run_line, Terminal(as_json), more=more, empty="There was no tick yet.")


def _body(file: typer.FileText) -> dict[str, Any]:
    try:
        found: Any = json.load(file)
    except ValueError as error:
        raise typer.BadParameter(f"the --session file is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter("the --session file must hold one JSON object")
    return cast("dict[str, Any]", found)


def _show(found: D, lines: Callable[[D], Iterable[str]], terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(found.raw)
    else:
        _say(lines(found), terminal)


def _say(lines: Iterable[str], terminal: Terminal) -> None:
    for line in lines:
        terminal.say(line)
