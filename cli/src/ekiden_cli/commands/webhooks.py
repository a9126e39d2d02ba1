"""`ekiden webhooks`: addresses of yours that are told what happens, and what they were told."""

from typing import Annotated

import typer

from ekiden_cli.commands.deliveries import deliveries, delivery, ping, replay
from ekiden_cli.commands.options import Cursor, Json, Limit, ListsByDefault, WebhookId, with_gateway
from ekiden_cli.pages import tell_page
from ekiden_cli.secret_lines import tell_secret
from ekiden_cli.terminal import Terminal
from ekiden_cli.webhook_lines import webhook_line, webhook_lines
from ekiden_client import KEPT, EkidenClient, EventKind, Webhook

app = typer.Typer(
    cls=ListsByDefault, help="Have addresses of yours told what happens; see and repeat what they were told."
)

Events = Annotated[
    list[EventKind] | None,
    typer.Option("--event", help="What it hears of; may be given several times. Without it: everything."),
]


@app.command("list")
def list_webhooks(limit: Limit = 20, cursor: Cursor = None, as_json: Json = False) -> None:
    """List your webhooks, newest first."""
    page = with_gateway(lambda gateway: gateway.webhooks.page(limit=limit, cursor=cursor))
    empty = "There are no webhooks. Make one: ekiden webhooks create https://…"
    tell_page(page, webhook_line, Terminal(as_json), more="ekiden webhooks list", empty=empty)


@app.command("create")
def create_webhook(
    url: Annotated[str, typer.Argument(help="The address, https://….")], event: Events = None, as_json: Json = False
) -> None:
    """Have an address told of all of your sessions, and print the secret that signs, once."""
    terminal = Terminal(as_json)
    made = with_gateway(lambda gateway: gateway.webhooks.create(url, events=event))
    _show(made, terminal)
    tell_secret(made.secret, terminal)


@app.command()
def show(webhook: WebhookId, as_json: Json = False) -> None:
    """Show a webhook, without its secret."""
    _show(with_gateway(lambda gateway: gateway.webhooks.get(webhook)), Terminal(as_json))


@app.command()
def edit(
    webhook: WebhookId,
    url: Annotated[str | None, typer.Option(help="Another address.")] = None,
    event: Events = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Let it hear of everything.")] = False,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether anything is sent to it.")] = None,
    as_json: Json = False,
) -> None:
    """Change where a webhook is, what it hears of, and whether anything is sent to it."""
    if event and all_events:
        raise typer.BadParameter("name an --event, or --all-events")
    if url is None and enabled is None and not event and not all_events:
        raise typer.BadParameter("name a --url, an --event, --all-events, --enable or --disable")

    async def job(gateway: EkidenClient) -> Webhook:
        return await gateway.webhooks.edit(
            webhook,
            url=KEPT if url is None else url,
            events=event or (None if all_events else KEPT),
            enabled=KEPT if enabled is None else enabled,
        )

    _show(with_gateway(job), Terminal(as_json))


@app.command()
def delete(webhook: WebhookId, as_json: Json = False) -> None:
    """Tell an address nothing any more; what is pending is given up."""
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> None:
        await gateway.webhooks.delete(webhook)

    with_gateway(job)
    if as_json:
        terminal.give({"id": webhook, "deleted": True})
    else:
        terminal.say(f"{webhook} is deleted.")


@app.command("rotate-secret")
def rotate_secret(webhook: WebhookId, as_json: Json = False) -> None:
    """Make a new secret and print it, once. For 24 hours the old one signs, too."""
    terminal = Terminal(as_json)
    made = with_gateway(lambda gateway: gateway.webhooks.rotate_secret(webhook))
    _show(made, terminal)
    tell_secret(made.secret, terminal)


app.command()(deliveries)
app.command()(delivery)
app.command()(replay)
app.command("test")(ping)


def _show(webhook: Webhook, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(webhook.raw)
        return
    for line in webhook_lines(webhook):
        terminal.say(line)
