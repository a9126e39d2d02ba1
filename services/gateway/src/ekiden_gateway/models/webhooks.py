"""Answers about webhooks and their deliveries."""

from datetime import datetime

from pydantic import Field

from ekiden.store.deliveries import DeliveryStatus
from ekiden.webhooks.events import EventKind
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TIME, Answered

EXAMPLE_WEBHOOK = "whk_0199c0ffee0077778888999900001111"
EXAMPLE_DELIVERY = "msg_0123456789abcdef0123456789abcdef"


class WebhookAnswer(Answered):
    """An address that is told what happens. Its secret is shown when it is made or rotated, and never again."""

    id: str = Field(examples=[EXAMPLE_WEBHOOK])
    url: str = Field(examples=["https://example.com/ekiden"])
    events: list[EventKind] | None = Field(description="The kinds it hears of; null is all")
    session_only: bool = Field(description="true: it hears of sessions whose `webhookUrl` it is, false: of all")
    enabled: bool = Field(examples=[True])
    disabled_at: datetime | None
    disabled_because: str | None = Field(examples=["its receiver answered 410 Gone"])
    failing_since: datetime | None = Field(description="Since when nothing arrives; null when all is well")
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    revision: int = Field(description="Counts the changes; the `ETag` has it", examples=[0])


class WebhookWithSecret(WebhookAnswer):
    secret: str = Field(
        description="What deliveries are signed with: keep it. After a rotation the one before signs for 24 h more",
        examples=["whsec_…"],
    )


class WebhookPage(Answered):
    items: list[WebhookAnswer]
    next_cursor: str | None = None


class DeliveryAnswer(Answered):
    """Something to tell, and how far that is. Its id is the `webhook-id` that the receiver sees."""

    id: str = Field(examples=[EXAMPLE_DELIVERY])
    webhook_id: str = Field(examples=[EXAMPLE_WEBHOOK])
    type: str = Field(examples=["session.completed"])
    session_id: str | None = Field(examples=[EXAMPLE_SESSION], description="null for a ping")
    status: DeliveryStatus = Field(examples=["DELIVERED"])
    because: str | None = Field(description="Why it FAILED")
    attempt_count: int = Field(description="Of all rounds, replays too", examples=[1])
    next_attempt_at: datetime | None = Field(description="null when it has ended")
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    ended_at: datetime | None = Field(examples=[EXAMPLE_TIME])


class AttemptAnswer(Answered):
    """One attempt: the status of the receiver's answer, or the error in its place."""

    at: datetime = Field(examples=[EXAMPLE_TIME])
    duration_ms: int = Field(examples=[87])
    status: int | None = Field(examples=[200])
    error: str | None
    response: str = Field(description="The first kilobyte of the answer's body", examples=["ok"])


class DeliveryWhole(DeliveryAnswer):
    payload: object = Field(description="What is sent, as JSON")
    attempts: list[AttemptAnswer] = Field(description="The last fifty, the oldest first")


class DeliveryPage(Answered):
    items: list[DeliveryAnswer]
    next_cursor: str | None = None
