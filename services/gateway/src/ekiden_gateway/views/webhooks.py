"""Webhooks and their deliveries as their owner sees them."""

import json
from collections.abc import Mapping
from typing import Any

from ekiden.webhooks.endpoint import Webhook
from ekiden_gateway.models.webhooks import DeliveryAnswer, DeliveryWhole, WebhookAnswer, WebhookWithSecret

BASE = "/api/webhooks"
Document = Mapping[str, Any]


def webhook_url(webhook_id: str) -> str:
    return f"{BASE}/{webhook_id}"


def delivery_url(webhook_id: str, delivery_id: str) -> str:
    return f"{BASE}/{webhook_id}/deliveries/{delivery_id}"


def webhook(found: Webhook) -> WebhookAnswer:
    return WebhookAnswer.model_validate(_fields(found))


def with_secret(found: Webhook) -> WebhookWithSecret:
    """The only answer that shows a secret: the newest."""
    return WebhookWithSecret.model_validate({**_fields(found), "secret": found.secrets[0].text})


def delivery(document: Document) -> DeliveryAnswer:
    return DeliveryAnswer.model_validate(_delivery(document))


def whole(document: Document) -> DeliveryWhole:
    attempts = [
        {
            "at": attempt["at"],
            "durationMs": attempt["milliseconds"],
            "status": attempt["status"],
            "error": attempt["error"] or None,
            "response": attempt["excerpt"],
        }
        for attempt in document["attempts"]
    ]
    more = {"payload": json.loads(document["body"]), "attempts": attempts}
    return DeliveryWhole.model_validate({**_delivery(document), **more})


def _fields(found: Webhook) -> dict[str, object]:
    return {
        "id": found.id,
        "url": found.url,
        "events": sorted(found.events) if found.events is not None else None,
        "sessionOnly": found.session_only,
        "enabled": found.disabled_at is None,
        "disabledAt": found.disabled_at,
        "disabledBecause": found.disabled_because or None,
        "failingSince": found.failing_since,
        "createdAt": found.created_at,
        "revision": found.revision,
    }


def _delivery(document: Document) -> dict[str, object]:
    return {
        "id": document["_id"],
        "webhookId": document["webhook"],
        "type": document["type"],
        "sessionId": document.get("sessionId"),
        "status": document["status"],
        "because": document["because"] or None,
        "attemptCount": document["attemptCount"],
        "nextAttemptAt": document.get("dueAt"),
        "createdAt": document["createdAt"],
        "endedAt": document.get("endedAt"),
    }
