"""The delivery log of a webhook: what was told, how each attempt ended, and telling it again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ekiden.store.database import Document
from ekiden.store.deliveries import DeliveryStatus
from ekiden.webhooks.endpoint import DELIVERY_ID_PATTERN, Webhook
from ekiden_gateway.access import UsedParts
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import UNKNOWN_DELIVERY, UNKNOWN_WEBHOOK, WEBHOOK_DISABLED
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.requests import Nothing
from ekiden_gateway.models.webhooks import EXAMPLE_DELIVERY, DeliveryAnswer, DeliveryPage, DeliveryWhole
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes.webhooks import LocatedWebhook
from ekiden_gateway.views import webhooks as views
from ekiden_gateway.views.webhooks import BASE

router = APIRouter(prefix=f"{BASE}/{{webhookId}}/deliveries", tags=["webhooks"])
DeliveryPath = Annotated[
    str,
    Path(
        alias="deliveryId", pattern=DELIVERY_ID_PATTERN, description="As the list has it", examples=[EXAMPLE_DELIVERY]
    ),
]


@router.get("", operation_id="listDeliveries", response_model=DeliveryPage, responses=documented(UNKNOWN_WEBHOOK))
async def page(
    webhook: LocatedWebhook,
    parts: UsedParts,
    status: Annotated[list[DeliveryStatus] | None, Query(description="One or several statuses")] = None,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("delivery-cursor")] = None,
) -> DeliveryPage:
    """List what was or is to be told, newest first."""
    found = await parts.deliveries.page(webhook.id, status or (), read_cursor(after, "msg"), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = cursor_at(last["createdAt"], last["_id"]) if last else None
    return DeliveryPage(items=[views.delivery(document) for document in found[:limit]], next_cursor=following)


@router.get(
    "/{deliveryId}",
    operation_id="getDelivery",
    response_model=DeliveryWhole,
    responses=documented(UNKNOWN_WEBHOOK, UNKNOWN_DELIVERY),
)
async def show(webhook: LocatedWebhook, parts: UsedParts, delivery_id: DeliveryPath) -> DeliveryWhole:
    """Show a delivery with its payload and its attempts."""
    return views.whole(await _known(parts, webhook, delivery_id))


@router.post(
    "/{deliveryId}/replay",
    operation_id="replayDelivery",
    status_code=202,
    response_model=DeliveryAnswer,
    responses=documented(UNKNOWN_WEBHOOK, UNKNOWN_DELIVERY, WEBHOOK_DISABLED),
)
async def replay(
    webhook: LocatedWebhook, parts: UsedParts, delivery_id: DeliveryPath, asked: Nothing | None = None
) -> DeliveryAnswer:
    """Tell it again at once, under the same `webhook-id`, with a new round of attempts if need be.

    One that is being sent at this moment is answered as it is.
    """
    if webhook.disabled_at is not None:
        raise Problem(WEBHOOK_DISABLED, f"{webhook.disabled_because}. {WEBHOOK_DISABLED.remedy}")
    replayed = await parts.deliveries.replay(webhook.id, delivery_id)
    return views.delivery(replayed or await _known(parts, webhook, delivery_id))


async def _known(parts: Parts, webhook: Webhook, delivery_id: str) -> Document:
    found = await parts.deliveries.one(webhook.id, delivery_id)
    if found is None:
        raise Problem(UNKNOWN_DELIVERY, f"The webhook {webhook.id} has no delivery {delivery_id}.")
    return found
