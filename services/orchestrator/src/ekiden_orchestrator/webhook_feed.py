"""The feed: from what happened to sessions to deliveries, behind everybody's back.

Nobody who moves a session knows of webhooks. Each orchestrator looks at what has moved since a mark that all of them
share, also after days in which none ran, and stores what is to be told under ids that say what it is: two of them, or
one that looks twice, store it once. Where nobody hears, a pass is one small read.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ekiden.clock import Clock
from ekiden.domain.ids import SessionId
from ekiden.store.database import Document
from ekiden.store.deliveries import DeliveryStore, NewDelivery
from ekiden.store.sessions import SessionStore
from ekiden.store.webhooks import WebhookStore
from ekiden.webhooks.endpoint import Webhook, of_session
from ekiden.webhooks.events import Told, told

PASS_SECONDS = 1.0
OVERLAP = timedelta(seconds=5)
"""What moved so long before the mark is looked at again: writes may be seen in another order than their times."""
HISTORY_MARGIN = timedelta(minutes=5)
"""A transition is stamped before it is saved, and saved before this has passed."""
FIRST_LOOK_BACK = timedelta(days=1)
MARKED_EVERY = timedelta(seconds=10)
"""What it is behind, another orchestrator looks at again, which changes nothing."""
BATCH = 200


@dataclass
class WebhookFeed:
    sessions: SessionStore
    webhooks: WebhookStore
    deliveries: DeliveryStore
    clock: Clock
    _mark: datetime | None = None
    _saved: datetime | None = None
    _stored: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Ids stored lately, with when they were last seen: those of the overlap are not sent to the database again."""

    async def pass_once(self) -> float:
        """Answers the seconds until the next pass. Raises Unreachable."""
        await self.feed()
        return PASS_SECONDS

    async def feed(self) -> int:
        """Store the deliveries of all that happened since the mark; answer how many were new. Raises Unreachable."""
        now = self.clock.now()
        mark = self._mark or await self.webhooks.mark() or now - FIRST_LOOK_BACK
        new = await self._between(min(mark, now) - OVERLAP, now) if await self.webhooks.anybody_hears() else 0
        self._mark = now
        self._stored = {name: seen for name, seen in self._stored.items() if seen > now - 2 * OVERLAP}
        if self._saved is None or now - self._saved >= MARKED_EVERY:
            await self.webhooks.set_mark(now)
            self._saved = now
        return new

    async def _between(self, start: datetime, end: datetime) -> int:
        """Of a session that has moved several times only the last time is known: its history is read from `start`.

        For that reason a look back is one piece, and the mark moves when all of it is done.
        """
        owners, new = await self.webhooks.owners(), 0
        batch: list[Document] = []
        async for session in self.sessions.told_between(start, end, owners, start - HISTORY_MARGIN):
            batch.append(session)
            if len(batch) == BATCH:
                new += await self._store(batch)
                batch = []
        return new + await self._store(batch)

    async def _store(self, batch: Collection[Document]) -> int:
        news = [session for session in batch if any(_told_of(session))]
        if not news:
            return 0
        named = {name for session in news if (name := _named(session))}
        hearing = await self.webhooks.hearing({session["owner"] for session in news}, named)
        made = {one.id: one for session in news for one in _deliveries(session, hearing)}
        now = self.clock.now()
        new = await self.deliveries.add([one for name, one in made.items() if name not in self._stored])
        self._stored |= dict.fromkeys(made, now)
        return new


def _deliveries(session: Document, hearing: Collection[Webhook]) -> Iterator[NewDelivery]:
    """What is told of a session to whom. An address that hears of all its owner's sessions is not told twice."""
    named = _named(session)
    general = [webhook for webhook in hearing if webhook.owner == session["owner"] and not webhook.session_only]
    for happened in _told_of(session):
        tell = [webhook for webhook in general if webhook.hears(happened)]
        known = {webhook.url for webhook in tell}
        own = [one for one in hearing if one.id == named and one.hears(happened) and one.url not in known]
        for webhook in [*tell, *own]:
            yield NewDelivery(
                id=happened.id_for(webhook.id),
                webhook=webhook,
                kind=happened.kind,
                body=happened.body,
                session_id=happened.session_id,
                version=happened.version,
            )


def _told_of(session: Document) -> Iterator[Told]:
    for entry in session["history"]:
        yield from told(SessionId(session["_id"]), entry)


def _named(session: Document) -> str | None:
    url = session.get("webhookUrl")
    return of_session(session["owner"], url) if url else None
