"""`ekiden keys`: who may come in, and how much of it."""

from typing import Annotated

import typer

from ekiden_cli.commands.options import Cursor, Json, Limit, ListsByDefault, with_gateway
from ekiden_cli.completion import key_ids
from ekiden_cli.key_lines import key_line, key_lines
from ekiden_cli.pages import tell_page
from ekiden_cli.secret_lines import tell_secret
from ekiden_cli.terminal import Terminal
from ekiden_client import KEPT, EkidenClient, Key, MadeKey, Scope
from ekiden_client.changes import Change

app = typer.Typer(cls=ListsByDefault, help="Make API keys, limit them and revoke them. Needs the scope admin.")

KeyId = Annotated[
    str, typer.Argument(metavar="KEY", help="The key's id, for example key_0199….", autocompletion=key_ids)
]
Rate = Annotated[
    int | None,
    typer.Option("--rate", min=0, metavar="N", help="Changing requests a minute; 0 leaves it to the gateway."),
]
Sessions = Annotated[
    int | None, typer.Option("--sessions", min=0, metavar="N", help="Sessions at a time; 0 leaves it to the gateway.")
]


@app.command("list")
def list_keys(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    revoked: Annotated[bool, typer.Option("--revoked", help="Also those that open nothing any more.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List keys, newest first. Those of the environment are in the environment only."""
    page = with_gateway(lambda gateway: gateway.keys.page(client=client, revoked=revoked, limit=limit, cursor=cursor))
    tell_page(page, key_line, Terminal(as_json), more="ekiden keys list", empty="There are no keys.")


@app.command("create")
def create_key(
    client: Annotated[str, typer.Argument(help="Whose key it is: the client owns what is made with it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it opens; may be given several times.")],
    rate: Rate = None,
    sessions: Sessions = None,
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, once. The first key closes an open gateway, so it needs write and admin."""
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> MadeKey:
        return await gateway.keys.create(
            client, scope, rate_per_minute=_limit(rate), concurrent_sessions=_limit(sessions)
        )

    made = with_gateway(job)
    _show(made, terminal)
    tell_secret(made.secret, terminal)


@app.command()
def show(key: KeyId, as_json: Json = False) -> None:
    """Show a key, without its secret."""
    _show(with_gateway(lambda gateway: gateway.keys.get(key)), Terminal(as_json))


@app.command("limit")
def limit_key(key: KeyId, rate: Rate = None, sessions: Sessions = None, as_json: Json = False) -> None:
    """Change the limits of a key's client, at all gateways within seconds."""
    if rate is None and sessions is None:
        raise typer.BadParameter("name a --rate or --sessions")
    job = with_gateway(
        lambda gateway: gateway.keys.limit(key, rate_per_minute=_limit(rate), concurrent_sessions=_limit(sessions))
    )
    _show(job, Terminal(as_json))


@app.command()
def revoke(key: KeyId, as_json: Json = False) -> None:
    """End a key, at once. Repeating it changes nothing."""
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> None:
        await gateway.keys.revoke(key)

    with_gateway(job)
    if as_json:
        terminal.give({"id": key, "revoked": True})
    else:
        terminal.say(f"{key} is revoked; the other gateways know within two seconds.")


def _limit(given: int | None) -> Change[int | None]:
    return KEPT if given is None else given or None


def _show(key: Key, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(key.raw)
        return
    for line in key_lines(key):
        terminal.say(line)
