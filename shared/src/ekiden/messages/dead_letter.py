"""A message that nobody could handle, with all that is known of its end."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

KEPT_BODY_BYTES = 256 * 1024
"""Of a longer body only its beginning is kept: it can be looked at, and not be sent again."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`queue` is where it died, and empty when nobody said; `error` is the first one, as text.

    `size` are the bytes its body had, `deaths` how often it died with this one: more than once after a replay.
    """

    queue: str
    exchange: str
    routing_key: str
    reason: str
    error: str
    body: bytes
    size: int
    deaths: int = 1
    died_at: datetime | None = None
    message_id: str = ""
    type: str = ""
    content_type: str = ""
    headers: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def id(self) -> str:
        """Made from what it is: delivered twice, or buried twice after a lost acknowledgement, it is one letter."""
        named = json.dumps([self.queue, self.reason, self.deaths, self.message_id, self.size])
        return f"dl_{hashlib.sha256(named.encode() + self.body).hexdigest()[:32]}"

    @property
    def truncated(self) -> bool:
        return len(self.body) < self.size

    def about(self) -> tuple[str | None, str | None]:
        """The session and the task it was about, as far as the body can be read."""
        try:
            found = _About.model_validate_json(self.body)
        except ValidationError:
            return None, None
        return found.session_id, found.task_id


class _About(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    session_id: str | None = Field(default=None, max_length=200)
    task_id: str | None = Field(default=None, max_length=200)
