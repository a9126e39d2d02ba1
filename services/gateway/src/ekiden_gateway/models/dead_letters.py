"""Answers about dead letters."""

from datetime import datetime

from pydantic import Field

from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TASK, EXAMPLE_TIME, Answered

EXAMPLE_LETTER = "dl_0123456789abcdef0123456789abcdef"


class DeadLetterAnswer(Answered):
    """A message that nobody could handle; what looks like a secret is masked."""

    id: str = Field(examples=[EXAMPLE_LETTER])
    queue: str = Field(examples=["ekiden.tasks.gpt"], description="Where it died; empty when nobody said")
    exchange: str = Field(examples=["ekiden.commands"])
    routing_key: str = Field(examples=["gpt"])
    reason: str = Field(
        examples=["undecodable"],
        description="undecodable, oversized or handler_crashed, or the broker's own: delivery_limit, rejected",
    )
    error: str = Field(examples=["Invalid JSON: expected value at line 1 column 1"], description="The first one")
    deaths: int = Field(examples=[1], description="More than 1 when it died again after a replay")
    died_at: datetime = Field(examples=[EXAMPLE_TIME])
    stored_at: datetime = Field(examples=[EXAMPLE_TIME])
    replayed_at: datetime | None = Field(description="When it was sent to its queue again")
    message_id: str = Field(examples=["0199c0ff-ee00-7777-8888-999900001111"])
    session_id: str | None = Field(examples=[EXAMPLE_SESSION], description="null when the body does not tell")
    task_id: str | None = Field(examples=[EXAMPLE_TASK])
    size_bytes: int = Field(examples=[212])
    truncated: bool = Field(description="true when only the beginning of the body was kept")
    not_replayable: str | None = Field(description="Why it cannot be replayed; null when it can")
    headers: dict[str, str]


class DeadLetterWhole(DeadLetterAnswer):
    body: object = Field(description="As JSON where it is that, else as text", examples=["no JSON"])


class DeadLetterPage(Answered):
    items: list[DeadLetterAnswer]
    next_cursor: str | None = None


class Dropped(Answered):
    dropped: int = Field(examples=[1])


class Replayed(Answered):
    replayed: int = Field(examples=[3])
    refused: int = Field(examples=[0], description="Those that cannot be replayed; each says why")
