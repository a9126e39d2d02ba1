"""`ekiden doctor`: is everything there that a session needs?"""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ekiden_cli.addresses import Addresses, find_addresses
from ekiden_cli.commands.options import Json, leave
from ekiden_cli.doctor.finding import Finding, Verdict
from ekiden_cli.errors import Exit
from ekiden_cli.terminal import Terminal
from ekiden_cli.wrap import clean, wrap

_SIGNS = {Verdict.OK: ("✓", "green"), Verdict.WARNING: ("!", "bold yellow"), Verdict.FAILED: ("✗", "bold red")}
_NAME_CELLS = 12


Restored = Annotated[
    bool,
    typer.Option(
        "--after-restore",
        help="The database came out of a backup: turn every search that may have been bought since into an unknown "
        "outcome. The services must be stopped, the database must run.",
    ),
]
WithoutTurning = Annotated[
    bool, typer.Option("--dry-run", help="--after-restore: only say what would be turned, and the money at risk.")
]


def doctor(restored: Restored = False, dry_run: WithoutTurning = False, as_json: Json = False) -> None:
    """Check Python, libraries, settings, keys, addresses, ports, disk, broker, database, clocks, gateway, providers.

    Ends with 1 when something is wrong, with 0 when there are only warnings, and says for each what to change. No
    provider is called.
    """
    terminal = Terminal(as_json)
    addresses = find_addresses(os.environ, Path.cwd())
    if restored:
        _after_restore(addresses, terminal, dry_run=dry_run)
        return
    if dry_run:
        raise typer.BadParameter("--dry-run belongs to --after-restore: all other checks change nothing anyway")
    from ekiden_cli.doctor.examination import examine  # it loads the drivers of broker and database

    findings = asyncio.run(examine(addresses))
    healthy = not any(finding.is_failure for finding in findings)
    if as_json:
        rows = [finding.document() for finding in findings]
        terminal.give({"healthy": healthy, "addresses": addresses.source, "checks": rows})
    else:
        _tell(findings, addresses, terminal, healthy=healthy)
    leave(Exit.OK if healthy else Exit.FAILED)


def _after_restore(addresses: Addresses, terminal: Terminal, *, dry_run: bool) -> None:
    from ekiden_cli.doctor.after_restore import after_restore, lines  # as above

    outcome = asyncio.run(after_restore(addresses, dry_run=dry_run))
    if terminal.as_json:
        terminal.give(outcome.document())
        return
    for line in lines(outcome):
        terminal.say(line)


def _tell(findings: list[Finding], addresses: Addresses, terminal: Terminal, *, healthy: bool) -> None:
    width = min(terminal.out.width, 100) if terminal.drawn else 10_000
    for finding in findings:
        sign, style = _SIGNS[finding.verdict]
        room = width - _NAME_CELLS - 5
        lines = [(line, "") for line in wrap(clean(finding.found), room)]
        lines += [(line, "bold") for line in wrap("→ " + finding.change, room)] if finding.change else []
        for place, (line, line_style) in enumerate(lines):
            head = (
                Text.assemble((f" {sign} ", style), (f"{finding.name:<{_NAME_CELLS}} ", "bold"))
                if place == 0
                else Text(" " * (_NAME_CELLS + 4))
            )
            _print(terminal, Text.assemble(head, (line, line_style)))
    wrong = sum(finding.is_failure for finding in findings)
    verdict = "Everything a session needs is there." if healthy else f"{wrong} of {len(findings)} checks failed."
    _print(
        terminal, Text(f"\n{verdict} Addresses are from {addresses.source}.", style="green" if healthy else "bold red")
    )


def _print(terminal: Terminal, line: Text) -> None:
    if terminal.drawn:
        terminal.out.print(line)
    else:
        terminal.say(line.plain)
