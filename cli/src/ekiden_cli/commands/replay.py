"""`ekiden replay`: what a changed workflow makes of the answers that were bought already."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ekiden_cli.commands.options import BudgetUsd, DryRun, Json, SessionId, leave, with_gateway
from ekiden_cli.completion import workflow_names
from ekiden_cli.difference import Difference, compare, difference_lines
from ekiden_cli.errors import CliError, Exit
from ekiden_cli.outcome import exit_code, tell_outcome
from ekiden_cli.session_lines import calls_line
from ekiden_cli.terminal import Terminal
from ekiden_cli.watch import WATCHING, watch
from ekiden_cli.wording import usd
from ekiden_client import EkidenClient, ReplayForecast, SessionStatus

SHOWN_LINES = 30
"""Lines of one step's differences; drafts are shown whole."""


def replay(
    session: SessionId,
    workflow: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="A name, a folder of the gateway's, or a version's id; by default the session's, as it is now.",
            autocompletion=workflow_names,
        ),
    ] = None,
    budget: BudgetUsd = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Buy what changed without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Run a changed workflow on a session's recorded answers; only calls whose request changed are paid for.

    Says first what it reuses and what it would buy, and asks; shows afterwards what became different.
    """
    terminal = Terminal(as_json)
    name, version = _known(workflow)
    foreseen = with_gateway(lambda gateway: gateway.sessions.foresee_replay(session, workflow=name, budget_usd=budget))
    if version is not None and version != foreseen.workflow:
        raise CliError(
            f"The gateway reads another {name} ({foreseen.workflow}) than {workflow} ({version}).",
            help="Put the folder where the gateway looks: EKIDEN_WORKFLOWS_DIR.",
        )
    if dry_run and as_json:
        terminal.give(foreseen.raw)
        return
    for line in forecast_lines(foreseen):
        terminal.say(line)
    if dry_run:
        return
    _must_agree(foreseen, yes=yes)

    async def job(gateway: EkidenClient) -> tuple[SessionStatus, Difference | None]:
        made = await gateway.sessions.replay(session, workflow=foreseen.workflow, budget_usd=budget)
        if as_json:
            status = await gateway.with_patience(WATCHING).sessions.wait(made.id)
        else:
            status = await watch(gateway, made.id, terminal)
            await tell_outcome(gateway, status, terminal)
        return status, await _compared(gateway, session, made.id) if status.session.status == "COMPLETED" else None

    status, found = with_gateway(job)
    if as_json:
        told = {"sessionId": status.session.id, "replayOf": session, "status": status.session.status}
        costs = {"forecast": foreseen.raw, "cost": status.cost.raw}
        terminal.give(told | costs | (found.document() if found else {}))
    elif found is not None:
        calls = f"{_count(found.paid, 'call')} paid, {_count(found.recorded, 'answer')} on record"
        terminal.say(f"Beside {session}: {calls}, {usd(status.cost.saved_usd)} saved.")
        for line in difference_lines(found, SHOWN_LINES):
            terminal.say(line)
    leave(exit_code(status))


def forecast_lines(foreseen: ReplayForecast) -> Iterator[str]:
    """What a replay would reuse and buy, and in which steps."""
    yield f"Replay of {foreseen.session_id} under {foreseen.workflow}"
    yield f"  on record: {_count(foreseen.recorded, 'call')}, which saves {usd(foreseen.saved_usd)}"
    bought = ", ".join(f"{step.position}" for step in foreseen.steps if step.calls > step.recorded)
    yield f"  to buy:    {calls_line(foreseen.to_buy)}{f' ({bought})' if bought else ''}"
    if foreseen.existing:
        yield f"  It is there already: {foreseen.existing}. Nothing is bought a second time."


def _known(workflow: str | None) -> tuple[str | None, str | None]:
    """What the gateway is told; of a folder also the version it has here. Raises CliError with its mistakes."""
    if workflow is None or not os.path.isdir(workflow):  # as in workflow.find_folder
        return workflow, None
    from ekiden_cli.workflow_lines import checked  # the checker takes a while to load

    folder = Path(workflow)
    package, mistakes = checked(folder)
    if package is None:
        raise CliError("\n".join(f"{folder}/{mistake}" for mistake in mistakes))
    return package.definition.name, package.id


def _must_agree(foreseen: ReplayForecast, *, yes: bool) -> None:
    """Ask before anything is bought; where nobody can answer, --yes has to have been said."""
    if yes or foreseen.existing or not foreseen.to_buy.calls:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("it would buy calls: say --yes, or look with --dry-run")
    if not typer.confirm(f"Buy them, for {usd(foreseen.to_buy.at_most_usd)} at most?", err=True):
        leave(Exit.FAILED)


async def _compared(gateway: EkidenClient, old: str, new: str) -> Difference:
    sessions = gateway.sessions
    before = (await sessions.get(old), await sessions.drafts(old))
    after = (await sessions.get(new), await sessions.drafts(new))
    return compare(before, after, await sessions.tasks(new))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
