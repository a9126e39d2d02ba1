"""Options and arguments that commands share, and the way from a command into the gateway."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from ekiden_cli.addresses import find_addresses
from ekiden_cli.completion import session_ids, webhook_ids
from ekiden_cli.errors import Exit
from ekiden_client import EkidenClient, Patience

T = TypeVar("T")
_AT_A_TERMINAL = Patience(seconds=10.0, absent_seconds=0.0)
"""A lost reply and a gateway that asks for patience are worth a moment; where nobody listens, a person is told so."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
SessionId = Annotated[
    str, typer.Argument(metavar="SESSION", help="The session's id, for example ses_0199….", autocompletion=session_ids)
]
WebhookId = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="The webhook's id, for example whk_0199….", autocompletion=webhook_ids)
]
Limit = Annotated[int, typer.Option(min=1, max=100, help="At most so many.")]
Cursor = Annotated[str | None, typer.Option(help="Go on behind an earlier page.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do, reuse, cost and take.")]
InputWords = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="NAME=VALUE", help="Another input of the workflow; again for each item of a list."),
]
BudgetUsd = Annotated[float | None, typer.Option("--budget", min=0.01, metavar="USD", help="The most it may spend.")]


class ListsByDefault(TyperGroup):
    """A group of commands that lists when it is not told what to do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # the shell asks what could come next
            return super().parse_args(ctx, args)
        asks_for_help = bool(args) and args[0] in ctx.help_option_names
        if not asks_for_help and (not args or args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def with_gateway(job: Callable[[EkidenClient], Awaitable[T]], *, interrupted: Callable[[], None] = lambda: None) -> T:
    """Run a job with the gateway that the environment or the stack names. Ctrl-C ends it with exit code 130."""
    addresses = find_addresses(os.environ, Path.cwd())
    try:
        return with_gateway_at(addresses.gateway_url, addresses.api_key, job)
    except KeyboardInterrupt:
        interrupted()
        raise typer.Exit(Exit.INTERRUPTED) from None


def with_gateway_at(url: str, api_key: str | None, job: Callable[[EkidenClient], Awaitable[T]]) -> T:
    """Run a job with one gateway. Raises KeyboardInterrupt."""

    async def run() -> T:
        async with EkidenClient(url, key=api_key or "", patience=_AT_A_TERMINAL) as gateway:
            return await job(gateway)

    return asyncio.run(run())


def leave(code: Exit) -> None:
    """End the command with a code; 0 is the ordinary end."""
    if code is not Exit.OK:
        raise typer.Exit(code)
