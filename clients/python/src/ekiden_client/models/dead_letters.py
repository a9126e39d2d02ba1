"""Messages that nobody could handle."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document


class DeadLetter(Document):
    """What looks like a secret is masked. `body` comes only with a single letter, not in lists."""

    id: str
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    reason: str = ""
    error: str = ""
    deaths: int = 1
    died_at: datetime | None = None
    stored_at: datetime | None = None
    replayed_at: datetime | None = None
    message_id: str = ""
    session_id: str | None = None
    task_id: str | None = None
    size_bytes: int = 0
    truncated: bool = False
    not_replayable: str | None = None
    headers: Mapping[str, str] = Field(default_factory=dict[str, str])
    body: Any = None


class Replayed(Document):
    """How many letters were sent again, and how many cannot be."""

    replayed: int
    refused: int = 0


class Dropped(Document):
    dropped: int
