"""Webhooks, and the log of their deliveries."""

from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document, Tagged
from ekiden_client.models.words import DeliveryWord, EventWord


class Webhook(Tagged):
    """A webhook, without its secret; `events` is None for everything, `session_only` for what sessions name."""

    id: str
    url: str
    events: tuple[EventWord, ...] | None = None
    session_only: bool = False
    enabled: bool = True
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    revision: int = 0


class WebhookWithSecret(Webhook):
    """A webhook that was just made, or whose secret was rotated. No other answer shows the secret."""

    secret: str = Field(repr=False)


class Attempt(Document):
    """One try of a delivery: the status of the answer, or the error that there was instead."""

    at: datetime
    duration_ms: int = 0
    status: int | None = None
    error: str | None = None
    response: str = ""


class Delivery(Document):
    """One event on its way to a webhook; `because` says why it was given up."""

    id: str
    webhook_id: str = ""
    type: str = ""
    session_id: str | None = None
    status: DeliveryWord
    because: str | None = None
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    created_at: datetime
    ended_at: datetime | None = None


class WholeDelivery(Delivery):
    """A delivery with what is sent and every attempt at it."""

    payload: Any = None
    attempts: tuple[Attempt, ...] = ()
