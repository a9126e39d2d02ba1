"""`ekiden providers`: whether calls to the providers pass, and a person's hand on their breakers."""

from typing import Annotated

import typer

from ekiden_cli.commands.options import Json, ListsByDefault, with_gateway
from ekiden_cli.completion import provider_names
from ekiden_cli.providers import provider_lines
from ekiden_cli.terminal import Terminal
from ekiden_client import ProviderState

app = typer.Typer(cls=ListsByDefault, help="See whether calls to the providers pass; hold them back or let them go.")

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="gpt or perplexity.", autocompletion=provider_names)]


@app.command("list")
def list_providers(as_json: Json = False) -> None:
    """List the providers with breaker, cool-down and rate."""
    terminal = Terminal(as_json)
    page = with_gateway(lambda gateway: gateway.providers.page())
    if as_json:
        terminal.give(page.raw)
        return
    for found in page.items:
        _tell(found, terminal)


@app.command("open")
def open_breaker(
    provider: Provider,
    reason: Annotated[str, typer.Option(help="Shown wherever a session waits for it.")] = "",
    as_json: Json = False,
) -> None:
    """Hold back all calls to a provider until you close its breaker. Calls under way run to their end."""
    _show(with_gateway(lambda gateway: gateway.providers.open(provider, reason)), as_json)


@app.command("close")
def close_breaker(provider: Provider, as_json: Json = False) -> None:
    """Let calls to a provider pass again, whoever opened its breaker."""
    _show(with_gateway(lambda gateway: gateway.providers.close(provider)), as_json)


def _show(found: ProviderState, as_json: bool) -> None:
    terminal = Terminal(as_json)
    if as_json:
        terminal.give(found.raw)
    else:
        _tell(found, terminal)


def _tell(found: ProviderState, terminal: Terminal) -> None:
    for line in provider_lines(found):
        terminal.say(line)
