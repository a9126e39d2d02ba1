"""API keys."""

from datetime import datetime

from pydantic import Field

from ekiden_client.models.document import Document, Tagged
from ekiden_client.models.words import ScopeWord


class Key(Tagged):
    """A key, without its secret. The limits are its client's; None where the gateway's setting holds."""

    id: str
    client: str
    scopes: tuple[ScopeWord, ...] = ()
    rate_per_minute: int | None = None
    concurrent_sessions: int | None = None
    created_at: datetime
    created_by: str = ""
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class OwnKey(Document):
    """Who one is to the gateway. `key_id` is None for a key of its environment, and where none is asked for."""

    client: str
    key_id: str | None = None
    scopes: tuple[ScopeWord, ...] = ()
    rate_per_minute: int | None = None
    concurrent_sessions: int | None = None
    open: bool = False


class MadeKey(Key):
    """A key that was just made. Nobody can show its secret again."""

    secret: str = Field(repr=False)
