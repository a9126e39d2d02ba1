"""`ekiden sessions`: look at sessions, and help them on."""

from collections.abc import Mapping
from typing import Annotated, Literal

import typer

from ekiden_cli.commands.gate import gate
from ekiden_cli.commands.options import (
    BudgetUsd,
    Cursor,
    DryRun,
    Json,
    Limit,
    ListsByDefault,
    SessionId,
    leave,
    with_gateway,
)
from ekiden_cli.completion import statuses, workflow_names
from ekiden_cli.errors import Exit
from ekiden_cli.json_view import JsonView
from ekiden_cli.outcome import exit_code, tell_outcome
from ekiden_cli.relay_view import RelayView
from ekiden_cli.session_lines import (
    command_line,
    foreseen_lines,
    recovery_lines,
    session_table,
    status_lines,
    task_lines,
)
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import Watch, relay_view, watch
from ekiden_client import (
    Cancel,
    CommandResult,
    EkidenClient,
    HealthReport,
    Pause,
    Resolve,
    ResolveAll,
    RestartPhase,
    RestartSession,
    Resume,
    Retry,
    SessionStatus,
)
from ekiden_client import DryRun as Foreseen
from ekiden_client.actions import Action

app = typer.Typer(cls=ListsByDefault, help="Look at sessions, and help them on.")
app.command()(gate)

Status = Annotated[
    str | None, typer.Option(help="Only those in this status, for example WAITING.", autocompletion=statuses)
]
Questions = Annotated[
    list[str] | None, typer.Option(help="The phase's search, in place of what was planned; may be given several times.")
]
Verb = Literal["retry", "restart_phase", "restart_session", "resolve", "resolve_all"]
Decision = Literal["resend", "give_up", "attach"]
_NOTHING = frozenset[str]()
_OPTIONS: Mapping[Verb, tuple[frozenset[str], frozenset[str]]] = {
    "retry": (_NOTHING, _NOTHING),
    "restart_phase": (frozenset({"--phase"}), frozenset({"--question", "--fresh"})),
    "restart_session": (_NOTHING, _NOTHING),
    "resolve": (frozenset({"--task", "--decision"}), frozenset({"--run-id"})),
    "resolve_all": (frozenset({"--decision"}), _NOTHING),
}
"""The options that an action needs, and those that it takes."""


@app.command("list")
def list_sessions(
    status: Status = None,
    workflow: Annotated[
        str | None, typer.Option(help="Only those of this workflow.", autocompletion=workflow_names)
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List sessions, newest first."""
    terminal = Terminal(as_json)
    asked = status.upper() if status else None
    page = with_gateway(
        lambda gateway: gateway.sessions.page(status=asked, workflow=workflow, limit=limit, cursor=cursor)
    )
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

    async def job(gateway: EkidenClient) -> tuple[SessionStatus, RelayView]:
        return await gateway.sessions.status(session), await relay_view(gateway, session)

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

    async def job(gateway: EkidenClient) -> SessionStatus:
        await gateway.sessions.status(session)  # from here on it is known, and a gateway that goes away is waited for
        if as_json:
            return await Watch(gateway, session, JsonView()).until_it_stops()
        status = await watch(gateway, session, terminal)
        await tell_outcome(gateway, status, terminal)
        return status

    leave(exit_code(with_gateway(job)))


@app.command("continue")
def continue_session(
    session: SessionId, budget: BudgetUsd = None, question: Questions = None, as_json: Json = False
) -> None:
    """Pass the gate a session waits at, also with other questions, or raise its budget and go on."""
    terminal = Terminal(as_json)
    _tell(with_gateway(lambda gateway: gateway.sessions.go_on(session, items=question, budget_usd=budget)), terminal)


@app.command("start")
def start_session(session: SessionId, as_json: Json = False) -> None:
    """Start a session that was created and not started, or let one that failed try again."""
    _tell(with_gateway(lambda gateway: gateway.sessions.start(session)), Terminal(as_json))


@app.command()
def pause(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Let a session stop after the calls that are under way."""
    _say(session, Pause(), "pause", dry_run=dry_run, as_json=as_json)


@app.command()
def resume(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Let a paused session go on."""
    _say(session, Resume(), "resume", dry_run=dry_run, as_json=as_json)


@app.command()
def cancel(session: SessionId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Cancel a session, also at the providers. What was bought is kept and paid."""
    _say(session, Cancel(), "cancel", dry_run=dry_run, as_json=as_json)


@app.command()
def tasks(session: SessionId, as_json: Json = False) -> None:
    """Print a session's ledger: each task, and each time it was sent, with run id, outcome and cost."""
    terminal = Terminal(as_json)
    ledger = with_gateway(lambda gateway: gateway.sessions.tasks(session))
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
        Decision | None,
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
    asked = _recovery(action, phase, question, task, decision, run_id, fresh=fresh)
    _say(session, asked, action, dry_run=dry_run, as_json=as_json)


def _recovery(
    action: Verb,
    phase: int | None,
    questions: list[str] | None,
    task: str | None,
    decision: Decision | None,
    run_id: str | None,
    *,
    fresh: bool,
) -> Action:
    """The action that the options make. Raises BadParameter with the option that is missing or too many."""
    given = {"--phase": phase, "--question": questions, "--fresh": fresh, "--task": task}
    given |= {"--decision": decision, "--run-id": run_id}
    named = {name for name, value in given.items() if value}
    needed, allowed = _OPTIONS[action]
    if missing := needed - named:
        raise typer.BadParameter(f"{action} needs {' and '.join(sorted(missing))}")
    if extra := named - needed - allowed:
        raise typer.BadParameter(f"{' and '.join(sorted(extra))} does not belong to {action}")
    match action:
        case "retry":
            return Retry()
        case "restart_session":
            return RestartSession()
        case "restart_phase":
            return RestartPhase(phase or 1, questions, fresh)
        case "resolve":
            return Resolve(task or "", decision or "resend", run_id)
        case "resolve_all":
            if decision == "attach":
                raise typer.BadParameter("attach is for one task: use --action resolve")
            return ResolveAll(decision or "resend")


def _tell_health(session: str, terminal: Terminal) -> None:
    recovery: HealthReport = with_gateway(lambda gateway: gateway.sessions.health(session))
    if terminal.as_json:
        terminal.give(recovery.raw)
    else:
        for line in recovery_lines(recovery):
            terminal.say(line)
    leave(Exit.OK if recovery.health.is_healthy else Exit.FAILED)


def _say(session: str, action: Action, name: str, *, dry_run: bool, as_json: bool) -> None:
    """Say something to a session, and tell where it stands then, or with a dry run would stand."""
    terminal = Terminal(as_json)
    if dry_run:
        _tell_forecast(with_gateway(lambda gateway: gateway.sessions.foresee(session, action)), name, terminal)
    else:
        _tell(with_gateway(lambda gateway: gateway.sessions.say(session, action)), terminal)


def _tell(result: CommandResult, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(result.raw)
        return
    terminal.say(command_line(result))


def _tell_forecast(foreseen: Foreseen, name: str, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(foreseen.raw)
        return
    for line in foreseen_lines(foreseen, name):
        terminal.say(line)
