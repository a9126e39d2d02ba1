"""`ekiden run`: from a theme to drafts."""

import sys
from typing import Annotated

import typer

from ekiden_cli.commands.options import BudgetUsd, InputWords, Json, leave, with_gateway
from ekiden_cli.completion import languages, platforms, steps, styles, workflow_names
from ekiden_cli.inputs import read_inputs
from ekiden_cli.json_view import JsonView
from ekiden_cli.outcome import exit_code, tell_outcome
from ekiden_cli.subject import wished
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import Watch, watch
from ekiden_client import CreatedSession, EkidenClient, GateDefault, GateTimeout, SessionStatus

Phases = Annotated[list[int] | None, typer.Option("--pause-after", metavar="PHASE", help="Stop after this phase.")]
Steps = Annotated[
    list[str] | None,
    typer.Option("--pause-before", metavar="STEP", help="Stop before it: 1.EXECUTE.", autocompletion=steps),
]

Watching = Annotated[
    bool | None, typer.Option("--watch/--no-watch", help="Stay and show how it goes, which is the default.")
]


def run(
    theme: Annotated[str, typer.Argument(help="What it is about: the workflow's first required text.")],
    style: Annotated[
        str | None, typer.Option(help="entertainment, education, insight or personal_story.", autocompletion=styles)
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="twitter, threads, instagram, linkedin, note, …", autocompletion=platforms)
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="ja or en; by default that of the theme.", autocompletion=languages)
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(help="viral-content unless you have others.", autocompletion=workflow_names)
    ] = None,
    inputs: InputWords = None,
    budget: BudgetUsd = None,
    pause_after: Phases = None,
    pause_before: Steps = None,
    gate_timeout: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="A gate waits no longer than this for an answer.")
    ] = None,
    gate_default: Annotated[
        GateDefault | None, typer.Option(help="--gate-timeout: what happens then; stop unless you say otherwise.")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Told what happens to this session; see `ekiden webhooks`.")
    ] = None,
    watching: Watching = None,
    as_json: Json = False,
) -> None:
    """Start a session on a THEME, watch it, and print its drafts.

    Ends with 0 when the session completed, 1 when it failed, 4 when it waits for you. Ctrl-C stops watching only.
    With --json: one document at the end; with --watch --json a line for each transition, and the document as the last.
    """
    terminal = Terminal(as_json, in_lines=as_json and watching is True)
    timeout = _timeout(gate_timeout, gate_default)
    typed = read_inputs(inputs or ())
    started: list[str] = []

    async def job(gateway: EkidenClient) -> SessionStatus | None:
        given, spoken = await wished(gateway, theme, typed, workflow, language)
        session = await gateway.sessions.create(
            inputs=given,
            style=style,
            platform=platform,
            language=spoken,
            workflow=workflow,
            budget_usd=budget,
            pause_after_phases=pause_after,
            pause_before=pause_before,
            gate_timeout=timeout,
            webhook_url=webhook,
            start=True,
        )
        started.append(session.id)
        if watching is False:
            _tell_start(session, gateway, terminal)
            return None
        if terminal.in_lines:
            status = await Watch(gateway, session.id, JsonView()).until_it_stops()
        else:
            status = await watch(gateway, session.id, terminal)
        await tell_outcome(gateway, status, terminal)
        return status

    status = with_gateway(job, interrupted=lambda: _tell_interruption(started))
    if status is not None:
        leave(exit_code(status))


def _timeout(seconds: int | None, default: GateDefault | None) -> GateTimeout | None:
    if seconds is None and default is not None:
        raise typer.BadParameter("--gate-default needs a --gate-timeout")
    return GateTimeout(after_seconds=seconds, then=default or GateDefault.STOP) if seconds is not None else None


def _tell_start(session: CreatedSession, gateway: EkidenClient, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give({"sessionId": session.id, "status": session.status, "url": f"{gateway.url}/"})
        return
    terminal.say(session.id)
    print(f"Watch it: ekiden sessions watch {session.id}", file=sys.stderr)


def _tell_interruption(started: list[str]) -> None:
    if started:
        print(f"\nThe session goes on. Watch it: ekiden sessions watch {started[0]}", file=sys.stderr)
