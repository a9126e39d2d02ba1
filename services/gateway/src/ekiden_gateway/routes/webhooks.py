"""Webhooks: who is told what happens, and with which secret."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from uuid_utils import uuid7

from ekiden.store.deliveries import NewDelivery
from ekiden.webhooks.endpoint import WEBHOOK_ID_PATTERN, Webhook
from ekiden.webhooks.events import PING, body
from ekiden.webhooks.signature import new_secret
from ekiden_gateway import intake, receivers
from ekiden_gateway.access import IdempotencyKey, Owner, UsedParts, once_begun
from ekiden_gateway.conditional import IfMatch, etag, tagged
from ekiden_gateway.documented import documented, with_location
from ekiden_gateway.kinds import (
    CHANGED_MEANWHILE,
    KEY_REUSED,
    REQUEST_RUNNING,
    TOO_MANY_WEBHOOKS,
    UNKNOWN_WEBHOOK,
    WEBHOOK_DISABLED,
    WEBHOOK_OF_SESSIONS,
)
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.requests import CreateWebhook, EditWebhook, Nothing
from ekiden_gateway.models.webhooks import (
    EXAMPLE_WEBHOOK,
    DeliveryAnswer,
    WebhookAnswer,
    WebhookPage,
    WebhookWithSecret,
)
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import webhooks as views
from ekiden_gateway.views.webhooks import BASE

router = APIRouter(prefix=BASE, tags=["webhooks"])
WebhookPath = Annotated[
    str,
    Path(alias="webhookId", pattern=WEBHOOK_ID_PATTERN, description="As it was answered", examples=[EXAMPLE_WEBHOOK]),
]


async def located(webhook_id: WebhookPath, parts: UsedParts, owner: Owner) -> Webhook:
    """The webhook of the path, if it is the caller's."""
    return await receivers.known(parts, owner, webhook_id)


LocatedWebhook = Annotated[Webhook, Depends(located)]


@router.post(
    "",
    operation_id="createWebhook",
    status_code=201,
    response_model=WebhookWithSecret,
    responses=documented(KEY_REUSED, REQUEST_RUNNING, TOO_MANY_WEBHOOKS) | with_location(201, "webhook"),
    dependencies=[Depends(once_begun)],
)
async def create(
    asked: CreateWebhook, parts: UsedParts, owner: Owner, response: Response, key: IdempotencyKey
) -> WebhookWithSecret:
    """Be told what happens to all of your sessions from now on. The answer shows the secret, and no other will.

    A request repeated under its `Idempotency-Key` is answered with the webhook as it is by then.
    """
    known_as = intake.idempotency(key, asked)
    made = await receivers.make(parts, owner, asked, known_as)
    response.headers["Location"] = views.webhook_url(made.id)
    return views.with_secret(made)


@router.get("", operation_id="listWebhooks", response_model=WebhookPage, responses=documented())
async def page(
    parts: UsedParts,
    owner: Owner,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("webhook-cursor")] = None,
) -> WebhookPage:
    """List your webhooks, newest first, those of sessions too."""
    found = await parts.webhooks.page(owner, read_cursor(after, "whk"), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = cursor_at(last.created_at, last.id) if last else None
    return WebhookPage(items=[views.webhook(one) for one in found[:limit]], next_cursor=following)


@router.get(
    "/{webhookId}",
    operation_id="getWebhook",
    response_model=WebhookAnswer,
    responses=documented(UNKNOWN_WEBHOOK) | tagged(),
)
async def show(webhook: LocatedWebhook, response: Response) -> WebhookAnswer:
    """Show a webhook. Its `ETag`, given as `If-Match`, keeps a change from overwriting somebody else's."""
    return _tagged(webhook, response)


@router.patch(
    "/{webhookId}",
    operation_id="editWebhook",
    response_model=WebhookAnswer,
    responses=documented(UNKNOWN_WEBHOOK, WEBHOOK_OF_SESSIONS, CHANGED_MEANWHILE) | tagged(),
)
async def edit(
    webhook: LocatedWebhook, parts: UsedParts, asked: EditWebhook, response: Response, seen: IfMatch = None
) -> WebhookAnswer:
    """Change where a webhook is, what it hears of, and whether anything is sent to it. Repeating it changes nothing."""
    return _tagged(await receivers.change(parts, webhook, asked, seen), response)


@router.delete("/{webhookId}", operation_id="deleteWebhook", status_code=204, responses=documented(UNKNOWN_WEBHOOK))
async def delete(webhook: LocatedWebhook, parts: UsedParts) -> None:
    """Delete a webhook with its log; what was still to be sent is not. A new session that names it makes it anew."""
    await parts.webhooks.delete(webhook.id)
    await parts.deliveries.forget(webhook.id)


@router.post(
    "/{webhookId}/rotate-secret",
    operation_id="rotateWebhookSecret",
    response_model=WebhookWithSecret,
    responses=documented(UNKNOWN_WEBHOOK, REQUEST_RUNNING) | tagged(),
)
async def rotate(
    webhook: LocatedWebhook, parts: UsedParts, response: Response, key: IdempotencyKey, asked: Nothing | None = None
) -> WebhookWithSecret:
    """Sign with a new secret, which the answer shows; for 24 hours the one before signs beside it.

    A request repeated under its `Idempotency-Key` makes no other, and is answered with the webhook as it is by then.
    """
    secret, now = new_secret(), parts.database.clock.now()

    def make(found: Webhook) -> Webhook:
        return replace(found, secrets=found.rotated(secret, now, key or ""))

    written = await receivers.write(parts, webhook, make)
    response.headers["ETag"] = etag(written.revision)
    return views.with_secret(written)


@router.post(
    "/{webhookId}/test",
    operation_id="testWebhook",
    status_code=202,
    response_model=DeliveryAnswer,
    responses=documented(UNKNOWN_WEBHOOK, WEBHOOK_DISABLED) | with_location(202, "delivery"),
)
async def ping(
    webhook: LocatedWebhook, parts: UsedParts, response: Response, asked: Nothing | None = None
) -> DeliveryAnswer:
    """Send a `ping`; how that went, the delivery at `Location` tells a moment later."""
    if webhook.disabled_at is not None:
        raise Problem(WEBHOOK_DISABLED, f"{webhook.disabled_because}. {WEBHOOK_DISABLED.remedy}")
    payload = body(PING, parts.database.clock.now(), {"webhookId": webhook.id})
    new = NewDelivery(f"msg_{uuid7().hex}", webhook, PING, payload)
    await parts.deliveries.add([new])
    stored = await parts.deliveries.one(webhook.id, new.id)
    if stored is None:
        raise Problem(UNKNOWN_WEBHOOK, f"The webhook {webhook.id} was deleted at this moment.")
    response.headers["Location"] = views.delivery_url(webhook.id, new.id)
    return views.delivery(stored)


def _tagged(webhook: Webhook, response: Response) -> WebhookAnswer:
    response.headers["ETag"] = etag(webhook.revision)
    return views.webhook(webhook)
