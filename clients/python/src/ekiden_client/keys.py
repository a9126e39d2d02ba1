"""API keys: who may come in, and how much of it."""

from collections.abc import AsyncGenerator, Collection
from urllib.parse import quote

from ekiden_client.changes import KEPT, Change, changed
from ekiden_client.connection import Connection
from ekiden_client.models.document import Page
from ekiden_client.models.keys import Key, MadeKey, OwnKey
from ekiden_client.models.words import Scope
from ekiden_client.paging import LARGEST_PAGE, through

_PATH = "/api/keys"


class Keys:
    """`client.keys`. Needs a key with the scope admin, where there are keys. The first that is made closes the gateway.

    Limits are the client's and not the key's: None leaves them to the gateway's settings.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        client: str,
        scopes: Collection[Scope | str],
        *,
        rate_per_minute: Change[int | None] = KEPT,
        concurrent_sessions: Change[int | None] = KEPT,
        idempotency_key: str | None = None,
    ) -> MadeKey:
        """Make a key; its secret is in this answer and nowhere else. Limits not given are those of its other key.

        Raises Conflict when the client has two keys already, and when the answer was lost and the key was made: it
        names that one, which is to be revoked.
        """
        limits = {"ratePerMinute": rate_per_minute, "concurrentSessions": concurrent_sessions}
        wish = {"client": client, "scopes": list(scopes)} | changed(limits)
        return await self._connection.command(MadeKey, _PATH, wish, idempotency_key=idempotency_key)

    async def own(self) -> OwnKey:
        """Say who one is here, what one may do, and how much of it. Needs no scope but read."""
        return await self._connection.ask(OwnKey, "GET", f"{_PATH}/self")

    async def page(
        self, *, client: str | None = None, revoked: bool = False, limit: int = 20, cursor: str | None = None
    ) -> Page[Key]:
        """Return one page, newest first; with `revoked` also those that open nothing any more."""
        filters = {"client": client, "revoked": revoked or None, "limit": limit, "cursor": cursor}
        return await self._connection.ask(Page[Key], "GET", _PATH, params=filters)

    def all(self, *, client: str | None = None, revoked: bool = False) -> AsyncGenerator[Key]:
        """Give all keys that match, over as many pages as there are."""
        return through(lambda cursor: self.page(client=client, revoked=revoked, limit=LARGEST_PAGE, cursor=cursor))

    async def get(self, key_id: str) -> Key:
        """Return a key with its `etag`."""
        return await self._connection.look(Key, _one(key_id))

    async def limit(
        self,
        key_id: str,
        *,
        rate_per_minute: Change[int | None] = KEPT,
        concurrent_sessions: Change[int | None] = KEPT,
        etag: str | None = None,
    ) -> Key:
        """Change the limits of a key's client. Raises ChangedMeanwhile when `etag` is not the key's state any more."""
        limits = {"ratePerMinute": rate_per_minute, "concurrentSessions": concurrent_sessions}
        return await self._connection.edit(Key, _one(key_id), changed(limits), etag)

    async def revoke(self, key_id: str) -> None:
        """End a key. Repeating it changes nothing. Raises Conflict for the last one that can manage keys."""
        await self._connection.send("DELETE", _one(key_id))


def _one(key_id: str) -> str:
    return f"{_PATH}/{quote(key_id, safe='')}"
