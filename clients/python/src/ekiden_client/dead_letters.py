"""Dead letters: messages that nobody could handle."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from ekiden_client.connection import Connection
from ekiden_client.models.dead_letters import DeadLetter, Dropped, Replayed
from ekiden_client.models.document import Page
from ekiden_client.paging import LARGEST_PAGE, through
from ekiden_client.patience import Again

_PATH = "/api/dead-letters"


class DeadLetters:
    """`client.dead_letters`. Needs a key with the scope admin, where there are keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self,
        *,
        queue: str | None = None,
        reason: str | None = None,
        replayed: bool = False,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[DeadLetter]:
        """Return one page, the latest death first, without bodies; with `replayed` also those that were sent again."""
        filters = {"queue": queue, "reason": reason, "replayed": replayed or None, "limit": limit, "cursor": cursor}
        return await self._connection.ask(Page[DeadLetter], "GET", _PATH, params=filters)

    def all(
        self, *, queue: str | None = None, reason: str | None = None, replayed: bool = False
    ) -> AsyncGenerator[DeadLetter]:
        """Give all letters that match, over as many pages as there are."""
        return through(
            lambda cursor: self.page(queue=queue, reason=reason, replayed=replayed, limit=LARGEST_PAGE, cursor=cursor)
        )

    async def get(self, letter_id: str) -> DeadLetter:
        """Return a letter with its body."""
        return await self._connection.ask(DeadLetter, "GET", _one(letter_id))

    async def replay(self, letter_id: str) -> DeadLetter:
        """Send a letter to the queue it came from. Repeating it changes nothing."""
        return await self._connection.ask(DeadLetter, "POST", f"{_one(letter_id)}/replay")

    async def replay_many(
        self, *, queue: str | None = None, reason: str | None = None, limit: int | None = None
    ) -> Replayed:
        """Replay the latest letters of a queue or a reason. A letter that was sent again is not sent a second time."""
        filters = {"queue": queue, "reason": reason, "limit": limit}
        return await self._connection.ask(Replayed, "POST", f"{_PATH}/replay", params=filters, again=Again.IF_NOT_DONE)

    async def drop(self, letter_id: str) -> Dropped:
        """Drop a letter for good."""
        return await self._connection.ask(Dropped, "DELETE", _one(letter_id), again=Again.IF_NOT_DONE)

    async def drop_many(self, *, queue: str | None = None, reason: str | None = None) -> Dropped:
        """Drop all letters of a queue, of a reason, or of both, for good; one of them must be named."""
        filters = {"queue": queue, "reason": reason}
        return await self._connection.ask(Dropped, "DELETE", _PATH, params=filters, again=Again.IF_NOT_DONE)


def _one(letter_id: str) -> str:
    return f"{_PATH}/{quote(letter_id, safe='')}"
