"""What webhooks were told: the commands of `ekiden webhooks` about deliveries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from ekiden_cli.commands.options import Cursor, Json, Limit, WebhookId, leave, with_gateway
from ekiden_cli.completion import delivery_statuses
from ekiden_cli.errors import Exit
from ekiden_cli.pages import tell_page
from ekiden_cli.terminal import Terminal
from ekiden_cli.webhook_lines import delivery_line, delivery_lines
from ekiden_client import Delivery, DeliveryStatus, EkidenClient, WholeDelivery

ATTEMPT_SECONDS = 20.0
"""An attempt has 15 seconds, and begins one or two after the ping was asked for."""
_LOOK_SECONDS = 0.5

DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id, as `deliveries` lists it.")]


def deliveries(
    webhook: WebhookId,
    status: Annotated[
        str | None, typer.Option(help="PENDING, DELIVERED or FAILED.", autocompletion=delivery_statuses)
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List what a webhook was told or is to be told, the latest first."""
    asked = status.upper() if status else None
    page = with_gateway(lambda gateway: gateway.webhooks.deliveries(webhook, status=asked, limit=limit, cursor=cursor))
    more = f"ekiden webhooks deliveries {webhook}" + (f" --status {asked}" if asked else "")
    tell_page(page, delivery_line, Terminal(as_json), more=more, empty="There are no deliveries.")


def delivery(webhook: WebhookId, delivery: DeliveryId, as_json: Json = False) -> None:
    """Show a delivery with every attempt and what is sent."""
    _show(with_gateway(lambda gateway: gateway.webhooks.delivery(webhook, delivery)), Terminal(as_json))


def replay(
    webhook: WebhookId,
    delivery: Annotated[list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="Or --failed.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    as_json: Json = False,
) -> None:
    """Send deliveries again, each under its `webhook-id` and with a new round of attempts."""
    if bool(delivery) is failed:
        raise typer.BadParameter("name deliveries, or --failed")
    terminal = Terminal(as_json)

    async def job(gateway: EkidenClient) -> list[Delivery]:
        names = list(delivery or ()) or [name async for name in _failed(gateway, webhook)]
        return [await gateway.webhooks.replay(webhook, name) for name in names]

    sent = with_gateway(job)
    if as_json:
        terminal.give([one.raw for one in sent])
        return
    for one in sent:
        for line in delivery_line(one):
            terminal.say(line)
    terminal.say(f"{len(sent)} will be sent again.")


def ping(webhook: WebhookId, as_json: Json = False) -> None:
    """Send a ping and wait for what becomes of it. Ends with 0 when it arrived, else with 1."""

    async def job(gateway: EkidenClient) -> WholeDelivery:
        sent = await gateway.webhooks.test(webhook)
        return await _first_attempt(gateway, webhook, sent.id)

    found = with_gateway(job)
    terminal = Terminal(as_json)
    _show(found, terminal)
    if not found.attempts:
        terminal.say("Nothing was tried yet: deliveries are sent by the orchestrator, so see whether one runs.")
    leave(Exit.OK if found.status == DeliveryStatus.DELIVERED else Exit.FAILED)


async def _first_attempt(gateway: EkidenClient, webhook: str, delivery: str) -> WholeDelivery:
    """The delivery after its first attempt, or as it is when that takes too long."""
    until = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
    while True:
        found = await gateway.webhooks.delivery(webhook, delivery)
        if found.attempts or found.ended_at or asyncio.get_running_loop().time() >= until:
            return found
        await asyncio.sleep(_LOOK_SECONDS)


async def _failed(gateway: EkidenClient, webhook: str) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        page = await gateway.webhooks.deliveries(webhook, status=DeliveryStatus.FAILED, limit=100, cursor=cursor)
        for one in page.items:
            yield one.id
        cursor = page.next_cursor
        if cursor is None:
            return


def _show(found: WholeDelivery, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.give(found.raw)
        return
    for line in delivery_lines(found):
        terminal.say(line)
