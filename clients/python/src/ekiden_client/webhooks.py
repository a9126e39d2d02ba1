"""Webhooks: addresses of yours that are told what happens to sessions, and the log of what they were told."""

from collections.abc import AsyncGenerator, Sequence
from urllib.parse import quote

from ekiden_client.changes import KEPT, Change, changed
from ekiden_client.connection import Connection
from ekiden_client.models.document import Page
from ekiden_client.models.webhooks import Delivery, Webhook, WebhookWithSecret, WholeDelivery
from ekiden_client.models.words import DeliveryStatus, EventKind
from ekiden_client.paging import LARGEST_PAGE, through
from ekiden_client.patience import Again

_PATH = "/api/webhooks"
Events = Sequence[EventKind | str] | None
"""None is everything, also what later versions tell."""


class Webhooks:
    """`client.webhooks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, url: str, *, events: Events = None, idempotency_key: str | None = None) -> WebhookWithSecret:
        """Have an address told of all of your sessions, from now on. The secret is in this answer and nowhere else."""
        wish = {"url": url, "events": list(events) if events is not None else None}
        return await self._connection.command(WebhookWithSecret, _PATH, wish, idempotency_key=idempotency_key)

    async def page(self, *, limit: int = 20, cursor: str | None = None) -> Page[Webhook]:
        """Return one page, newest first, without secrets."""
        return await self._connection.ask(Page[Webhook], "GET", _PATH, params={"limit": limit, "cursor": cursor})

    def all(self) -> AsyncGenerator[Webhook]:
        """Give all of your webhooks, over as many pages as there are."""
        return through(lambda cursor: self.page(limit=LARGEST_PAGE, cursor=cursor))

    async def get(self, webhook_id: str) -> Webhook:
        """Return a webhook with its `etag`."""
        return await self._connection.look(Webhook, _one(webhook_id))

    async def edit(
        self,
        webhook_id: str,
        *,
        url: Change[str] = KEPT,
        events: Change[Events] = KEPT,
        enabled: Change[bool] = KEPT,
        etag: str | None = None,
    ) -> Webhook:
        """Change a webhook. Raises ChangedMeanwhile when `etag` is not its state any more."""
        told = list(events) if isinstance(events, Sequence) else events
        wish = changed({"url": url, "events": told, "enabled": enabled})
        return await self._connection.edit(Webhook, _one(webhook_id), wish, etag)

    async def delete(self, webhook_id: str) -> None:
        """Tell an address nothing any more; what is pending is given up."""
        await self._connection.send("DELETE", _one(webhook_id), again=Again.IF_NOT_DONE)

    async def rotate_secret(self, webhook_id: str, *, idempotency_key: str | None = None) -> WebhookWithSecret:
        """Make a new secret, in this answer and nowhere else; for 24 hours the old one signs, too."""
        path = f"{_one(webhook_id)}/rotate-secret"
        return await self._connection.command(WebhookWithSecret, path, idempotency_key=idempotency_key)

    async def test(self, webhook_id: str) -> Delivery:
        """Send a ping. `delivery` tells what became of it."""
        path = f"{_one(webhook_id)}/test"
        return await self._connection.ask(Delivery, "POST", path, again=Again.IF_NOT_DONE)

    async def deliveries(
        self,
        webhook_id: str,
        *,
        status: DeliveryStatus | str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Return one page of what a webhook was told, or was to be, the latest first."""
        filters = {"status": [status] if status else None, "limit": limit, "cursor": cursor}
        return await self._connection.ask(Page[Delivery], "GET", f"{_one(webhook_id)}/deliveries", params=filters)

    async def delivery(self, webhook_id: str, delivery_id: str) -> WholeDelivery:
        """Return one delivery with its payload and every attempt."""
        return await self._connection.ask(WholeDelivery, "GET", _delivery(webhook_id, delivery_id))

    async def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again, under the same `webhook-id` and with a new round of attempts."""
        path = f"{_delivery(webhook_id, delivery_id)}/replay"
        return await self._connection.ask(Delivery, "POST", path, again=Again.IF_NOT_DONE)


def _one(webhook_id: str) -> str:
    return f"{_PATH}/{quote(webhook_id, safe='')}"


def _delivery(webhook_id: str, delivery_id: str) -> str:
    return f"{_one(webhook_id)}/deliveries/{quote(delivery_id, safe='')}"
