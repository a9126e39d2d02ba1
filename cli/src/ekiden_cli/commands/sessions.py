"""`ekiden sessions`: look at sessions, and help them on."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from ekiden_cli.client import Gateway
from ekiden_cli.commands.options import BudgetUsd, DryRun, Json, ListsByDefault, SessionId, leave, with_gateway
from ekiden_cli.documents import Entry, Forecast, Recovery, SessionState, SessionStatus
from ekiden_cli.errors import Exit
from ekiden_cli.outcome import exit_code, tell_outcome
from ekiden_cli.relay_view import RelayView
from ekiden_cli.session_lines import forecast_lines, recovery_lines, session_table, status_lines, task_lines
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import Watch, relay_view, watch
from ekiden_cli.wording import waits_for

app = typer.Typer(cls=ListsByDefault, help="Look at sessions, and help them on.")

Status = Annotated[str | None, typer.Option(help="Only those in this status, for example WAITING.")]
Limit = Annotated[int, typer.Option(min=1, max=100, help="At most so many.")]
Questions = Annotated[
    list[str] | None, typer.Option(help="The phase's search, in place of what was planned; may be given several times.")
]
Verb = Literal["retry", "restart_phase", "restart_session", "resolve", "resolve_all"]


@app.command("list")
def list_sessions(
    status: Status = None,
    workflow: Annotated[str | None, typer.Option(help="Only those of this workflow.")] = None,
    limit: Limit = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on behind an earlier page.")] = None,
    as_json: Json = False,
) -> None:
    """List sessions, newest first."""
    terminal = Terminal(as_json)
    asked = status.upper() if status else None
    page = with_gateway(lambda gateway: gateway.sessions(status=asked, workflow=workflow, limit=limit, cursor=cursor))
    if as_json:
        terminal.give(page.raw)
    elif page.items:
        for line in session_table(page.items, terminal):
            terminal.out.print(line, no_wrap=True, crop=False, overflow="ignore")
        if page.next_cursor:
            terminal.say(f"More: ekiden sessions list --cursor {page.next_cursor}")
    else:
        terminal.say('There are no sessions. Start one: ekiden run "AIと働き方"')


@app.command()
def show(session: SessionId, as_json: Json = False) -> None:
    """Show where a session stands. Ends like `watch`, except that a session under way is 0, too."""
    terminal = Terminal(as_json)

    async def job(gateway: Gateway) -> tuple[SessionStatus, RelayView]:
        return await gateway.status(session), await relay_view(gateway, session)

    status, view = with_gateway(job)
    if as_json:
        terminal.give(status.raw)
    elif terminal.drawn:
        view.show_status(status)
        terminal.out.print(view.draw(terminal.out.width, moving=not status.session.ended))
    else:
        for line in status_lines(status):
            terminal.say(line)
    moving = not status.session.ended and not status.session.waits_for_a_person
    leave(Exit.OK if moving else exit_code(status))


@app.command("watch")
def watch_session(session: SessionId, as_json: Json = False) -> None:
    """Watch a session until it has ended (0 or 1) or waits for you (4), then print what it gave.

    With --json: one line of JSON per transition.
    """
    terminal = Terminal(as_json)

    async def job(gateway: Gateway) -> SessionStatus:
        await gateway.status(session)  # from here on it is known, and a gateway that goes away is waited for
        if as_json:
            return await Watch(gateway, session, _JsonLines()).until_it_stops()
        status = await watch(gateway, session, terminal)
        await tell_outcome(gateway, status, terminal)
        return status

    leave(exit_code(with_gateway(job)))


@app.command("continue")
def continue_session(
    session: SessionId, budget: BudgetUsd = None, question: Questions = None, as_json: Json = False
) -> None:
    """Pass the gate a session waits at, also with other questions, or raise its budget and go on."""
    asked: dict[str, object | None] = {"budgetUsd": budget, "input": question or None}
    wish = {name: value for name, value in asked.items() if value is not None}
    _command(as_json, lambda gateway: gateway.go_on(session, wish), "continue")


@app.command("start")
def start_session(session: SessionId, as_json: Json = False) -> None:
    """Start a session that was created and not started, or let one that failed try again."""
    _command(as_json, lambda gateway: gateway.start(session), "start")


@app.command()
def pause(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Let a session stop after the calls that are under way."""
    _command(as_json, lambda gateway: gateway.say(session, "pause", dry_run=dry_run), "pause")


@app.command()
def resume(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Let a paused session go on."""
    _command(as_json, lambda gateway: gateway.say(session, "resume", dry_run=dry_run), "resume")


@app.command()
def cancel(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Cancel a session, also at the providers. What was bought is kept and paid."""
    _command(as_json, lambda gateway: gateway.say(session, "cancel", dry_run=dry_run), "cancel")


@app.command()
def tasks(session: SessionId, as_json: Json = False) -> None:
    """Print a session's ledger: each task, and each time it was sent, with run id, outcome and cost."""
    terminal = Terminal(as_json)
    ledger = with_gateway(lambda gateway: gateway.tasks(session))
    if as_json:
        terminal.give([task.raw for task in ledger])
        return
    for line in task_lines(ledger):
        terminal.say(line)


@app.command()
def recover(
    session: SessionId,
    action: Annotated[Verb | None, typer.Option(help="What to do; without it, only the health is shown.")] = None,
    phase: Annotated[int | None, typer.Option(min=1, help="restart_phase: from this phase on.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="restart_phase: buy searches again, without the cache.")
    ] = False,
    question: Questions = None,
    task: Annotated[str | None, typer.Option(help="resolve: the task whose outcome is unknown.")] = None,
    decision: Annotated[
        Literal["resend", "give_up", "attach"] | None,
        typer.Option(help="resolve: what to do; resolve_all: resend or give_up, for all of the session."),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(help="resolve --decision attach: the run found at the provider; without it the one on record."),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Say what ails a session and what would help; with --action, do it.

    Without --action it ends with 0 when the session is healthy, else with 1.
    """
    if action is None:
        _tell_health(session, Terminal(as_json))
        return
    wish: dict[str, object | None] = {
        "action": action,
        "phaseNumber": phase,
        "fresh": fresh or None,
        "input": question or None,
        "taskId": task,
        "decision": decision,
        "runId": run_id,
        "dryRun": dry_run or None,
    }
    asked = {name: value for name, value in wish.items() if value is not None}
    _command(as_json, lambda gateway: gateway.recover(session, asked), action)


def _tell_health(session: str, terminal: Terminal) -> None:
    recovery: Recovery = with_gateway(lambda gateway: gateway.health(session))
    if terminal.as_json:
        terminal.give(recovery.raw)
    else:
        for line in recovery_lines(recovery):
            terminal.say(line)
    leave(Exit.OK if recovery.health.is_healthy else Exit.FAILED)


def _command(as_json: bool, job: Callable[[Gateway], Awaitable[Mapping[str, Any]]], name: str) -> None:
    """Say something to a session, and tell where it stands then, or with a dry run would stand."""
    terminal = Terminal(as_json)
    answer = with_gateway(job)
    if as_json:
        terminal.give(answer)
        return
    state = SessionState.model_validate(answer)
    told = waits_for(state) if state.status == "WAITING" else f"is {state.status}"
    if answer.get("dryRun"):
        terminal.say(f"A dry run, nothing was done: {name} would lead to {state.status}.")
        for line in forecast_lines(Forecast.model_validate(answer.get("forecast") or {})):
            terminal.say(f"  {line}")
    elif answer.get("changed") is False:
        terminal.say(f"There was nothing to do: {state.id} {told}.")
    else:
        terminal.say(f"{state.id} {told}.")


class _JsonLines:
    """One transition, one line."""

    def show_entry(self, entry: Entry) -> None:
        print(json.dumps(entry.raw, ensure_ascii=False), flush=True)

    def show_away(self, seconds: float | None) -> None:
        """Not a transition."""

    def show_status(self, status: SessionStatus) -> None:
        """Not a transition."""
