"""`ekiden doctor`: is everything there that a session needs?"""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ekiden_cli.addresses import Addresses, find_addresses
from ekiden_cli.client import Gateway
from ekiden_cli.commands.options import Json, leave
from ekiden_cli.doctor.after_restore import after_restore, lines
from ekiden_cli.doctor.finding import Finding, Verdict
from ekiden_cli.doctor.machine import check_keys, check_libraries, check_python, check_settings
from ekiden_cli.doctor.stack import check_broker, check_database, check_gateway, check_providers
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
    """Check Python, libraries, settings, keys, broker, database, clocks, gateway and providers.

    Ends with 1 when something is wrong, and says for each failure what to change. No provider is called.
    """
    terminal = Terminal(as_json)
    addresses = find_addresses(os.environ, Path.cwd())
    if restored:
        _after_restore(addresses, terminal, dry_run=dry_run)
        return
    if dry_run:
        raise typer.BadParameter("--dry-run belongs to --after-restore: all other checks change nothing anyway")
    findings = asyncio.run(examine(addresses))
    healthy = all(finding.verdict is not Verdict.FAILED for finding in findings)
    if as_json:
        rows = [finding.document() for finding in findings]
        terminal.give({"healthy": healthy, "addresses": addresses.source, "checks": rows})
    else:
        _tell(findings, addresses, terminal, healthy=healthy)
    leave(Exit.OK if healthy else Exit.FAILED)


def _after_restore(addresses: Addresses, terminal: Terminal, *, dry_run: bool) -> None:
    outcome = asyncio.run(after_restore(addresses, dry_run=dry_run))
    if terminal.as_json:
        terminal.give(outcome.document())
        return
    for line in lines(outcome):
        terminal.say(line)


async def examine(addresses: Addresses) -> list[Finding]:
    """Ask everything, in the order in which failures follow from one another."""
    findings = [check_python(), check_libraries(), check_settings(os.environ), *check_keys(os.environ)]

    async def database() -> list[Finding]:
        return [finding async for finding in check_database(addresses)]

    async def gateway() -> list[Finding]:
        async with Gateway(addresses.gateway_url, api_key=addresses.api_key) as client:
            found = await check_gateway(client)
            return [found] if found.verdict is Verdict.FAILED else [found, await check_providers(client)]

    broker, stored, front = await asyncio.gather(check_broker(addresses), database(), gateway())
    return [*findings, broker, *stored, *front]


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
    wrong = sum(finding.verdict is Verdict.FAILED for finding in findings)
    verdict = "Everything a session needs is there." if healthy else f"{wrong} of {len(findings)} checks failed."
    _print(
        terminal, Text(f"\n{verdict} Addresses are from {addresses.source}.", style="green" if healthy else "bold red")
    )


def _print(terminal: Terminal, line: Text) -> None:
    if terminal.drawn:
        terminal.out.print(line)
    else:
        terminal.say(line.plain)
