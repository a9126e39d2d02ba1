"""Callers: whose key a request came with, and how much its client may ask for. Environment first, then database."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ekiden.clock import Clock
from ekiden.errors import Unreachable
from ekiden.store.api_keys import USE_NOTED_SECONDS, ApiKey, ApiKeyStore
from ekiden_gateway.kept import Kept
from ekiden_gateway.keys import EVERYBODY, Keyring, Scope, digest_of, may_be_stored

KEPT_SECONDS = 2.0
"""For so long a gateway may go on taking a key that was revoked at another one."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the client, which owns what it makes, and the key it has shown, with what that may do.

    `digest` is that of the secret it came with, by which the key is found again.
    """

    client: str
    key: str
    scopes: frozenset[Scope]
    digest: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask for: changing requests a minute, sessions at a time. None is no limit."""

    per_minute: int | None = None
    sessions: int | None = None


class Callers:
    """Every method may raise Unreachable: a database that is away makes nobody a stranger.

    The gateway is open when nobody has set or ever made a key, and then it listens on loopback only; or when
    `unlocked` says so. Keys that were made once keep it closed, revoked ones, too: revoking never opens a door.
    """

    def __init__(
        self, keyring: Keyring, stored: ApiKeyStore, clock: Clock, *, unlocked: bool, defaults: Limits
    ) -> None:
        self._keyring = keyring
        self._stored = stored
        self._clock = clock
        self._unlocked = unlocked
        self._defaults = defaults
        self.asks = not unlocked and not keyring.is_open
        """Whether a key is asked for, as far as is known."""
        self._any_ever = Kept[None, bool](lambda _: stored.any_ever(), KEPT_SECONDS)
        self._found = Kept[bytes, ApiKey | None](self._look_up, KEPT_SECONDS)
        self._active = Kept[str, Sequence[ApiKey]](stored.active_of, KEPT_SECONDS)

    async def is_open(self) -> bool:
        """Whether everybody may come in who can reach the address."""
        if not self._unlocked and not self.asks:
            self.asks = await self._any_ever.get(None)
        return not self.asks

    async def who(self, secret: str) -> Caller | None:
        """The caller who has this secret, or none; None for a stranger."""
        return await self.known(digest_of(secret), stored=may_be_stored(secret))

    async def known(self, digest: bytes, *, stored: bool = True) -> Caller | None:
        """The same by a secret's digest; the database is asked only when the key may be `stored` there."""
        if await self.is_open():
            return Caller(EVERYBODY, EVERYBODY, frozenset(Scope), digest)
        if (key := self._keyring.of_digest(digest)) is not None:
            return Caller(key.client, key.client, key.scopes, digest)
        found = await self._found.get(digest) if stored else None
        return Caller(found.client, found.id, frozenset(map(Scope, found.scopes)), digest) if found else None

    async def may_still_read(self, caller: Caller) -> bool:
        """Whether somebody who was let in a while ago would be let in to read now."""
        now = await self.known(caller.digest)
        return now is not None and now.client == caller.client and Scope.READ in now.scopes

    async def limits(self, client: str) -> Limits:
        """What its newest key says, else the gateway's own."""
        if self._unlocked or not self.asks:
            return self._defaults
        active = await self._active.get(client)
        newest = active[0] if active else None
        own = Limits(newest.rate_per_minute, newest.concurrent_sessions) if newest else Limits()
        return Limits(
            own.per_minute if own.per_minute is not None else self._defaults.per_minute,
            own.sessions if own.sessions is not None else self._defaults.sessions,
        )

    def changed(self, client: str) -> None:
        """A client's keys were made, changed or revoked at this gateway: the others see it within seconds."""
        self.asks = not self._unlocked
        self._active.forget(client)
        self._found.clear()

    async def _look_up(self, digest: bytes) -> ApiKey | None:
        found = await self._stored.by_digest(digest)
        if found is not None and _is_stale(found.last_used_at, self._clock.now()):
            with suppress(Unreachable):
                await self._stored.used(found.id)
        return found


def _is_stale(used: datetime | None, now: datetime) -> bool:
    return used is None or now - used > timedelta(seconds=USE_NOTED_SECONDS)
