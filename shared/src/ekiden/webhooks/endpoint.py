"""A webhook: an address that hears of its owner's sessions, and the secrets it knows us by."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ekiden.webhooks.events import EventKind, Told

WEBHOOK_ID_PATTERN = r"^whk_[0-9a-f]{32}$"
DELIVERY_ID_PATTERN = r"^msg_[0-9a-f]{32}$"
KEPT_SIGNING = timedelta(hours=24)
"""How long a secret signs beside the one that followed it."""
MOST_SECRETS = 5
MOST_WEBHOOKS = 100
"""Of one owner, those of sessions aside: each one makes a delivery of everything that happens."""
MOST_ADDRESSES = 10_000
"""That the sessions of one owner name: room for an address of its own for each, and an end to what grows."""
LOOKED_AT_EVERY = timedelta(days=1)
"""How often it is looked whether a session still names an address; being named anew is noted twice as often."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One that signs, until a time when another has followed it. Its text is in no representation of it.

    `known_as` is the idempotency key of the request that asked for it.
    """

    text: str
    until: datetime | None = None
    known_as: str = ""

    def __repr__(self) -> str:
        return f"Secret(until={self.until!r})"


@dataclass(frozen=True, slots=True)
class Webhook:
    """`events` are those it hears of, None is all. One with `session_only` hears of sessions that name its address."""

    id: str
    owner: str
    url: str
    host: str
    created_at: datetime
    hears_since: datetime
    secrets: tuple[Secret, ...]
    events: frozenset[EventKind] | None = None
    session_only: bool = False
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_because: str = ""
    revision: int = 0

    def hears(self, told: Told) -> bool:
        """Whether it is told of it. What happened before it was there, or while it was disabled, is not made up for."""
        wanted = self.events is None or told.kind in self.events
        return self.disabled_at is None and wanted and told.at >= self.hears_since

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets to sign with, the newest first."""
        return tuple(secret.text for secret in self.secrets if secret.until is None or secret.until > now)

    def was_rotated_by(self, known_as: str) -> bool:
        """Whether one of its secrets was made for a request of this idempotency key."""
        return any(one.known_as == known_as for one in self.secrets)

    def rotated(self, text: str, now: datetime, known_as: str = "") -> tuple[Secret, ...]:
        """Its secrets with a new one, which the others outlive by a day; without it when its request is a repeat."""
        if known_as and self.was_rotated_by(known_as):
            return self.secrets
        kept = [replace(one, until=one.until or now + KEPT_SIGNING) for one in self.secrets]
        new = Secret(text, known_as=known_as)
        return (new, *[one for one in kept if one.until and one.until > now])[:MOST_SECRETS]


def of_session(owner: str, url: str) -> str:
    """Return the id of the webhook of all sessions of an owner that name an address: one, whoever makes it first."""
    name = f"{owner} {url}"  # no address has a space in it
    return f"whk_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
