"""Feeds: the history of a session as it grows, read once for all who listen to it.

A feed keeps the newest events as they go over the wire. A listener has a place in it and takes what is behind that at
its own speed: it holds nobody up, and whoever falls back further than a feed reaches reads for itself.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

import structlog

from ekiden.domain.ids import SessionId
from ekiden.domain.session import OVER, Status
from ekiden.errors import Unreachable
from ekiden_gateway.audience import Audience
from ekiden_gateway.bell import Bell
from ekiden_gateway.rounds import Rounds
from ekiden_gateway.views import events as views

log = structlog.get_logger()
POLL_SECONDS = 2.0
"""How long a lost wake-up can go unnoticed: one question for the versions of all sessions that are listened to."""
HEARTBEAT_SECONDS = 15.0
KEPT = 200
"""Events of a session; one without failures has about 20."""


class Histories(Protocol):
    """What feeds need of the session store; each may raise Unreachable."""

    async def history(
        self, session_id: SessionId, after: int, *, settled: bool = False
    ) -> Sequence[Mapping[str, Any]] | None: ...

    async def versions(self, session_ids: Sequence[SessionId]) -> Mapping[SessionId, int]: ...


class Frame(NamedTuple):
    """An event as it is sent, and the version it tells of."""

    version: int
    sent: bytes
    status: Status


class Feed:
    """One session. Made for its first listener, gone with its last."""

    def __init__(self, session_id: SessionId, histories: Histories) -> None:
        self.bell = Bell()
        self.listeners = 0
        self.gone = False
        """Whether there is no such session any more, or, out of a backup, an older one in its place."""
        self._session_id = session_id
        self._histories = histories
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._begins_after = -1
        self._heard_of = -1
        self._reading: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """Of the newest event; -1 before the first."""
        return self._frames[-1].version if self._frames else -1

    @property
    def over(self) -> bool:
        return bool(self._frames) and self._frames[-1].status in OVER

    def hear(self, version: int) -> None:
        """Somebody says that the session has come to this version: look, unless that is known."""
        self._heard_of = max(self._heard_of, version)
        if self._heard_of > self.version and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())

    def end(self) -> None:
        self.gone = True
        self.bell.ring()

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def behind(self, seen: int) -> Sequence[Frame]:
        """What came after version `seen`. Raises Unreachable when that has to be asked for."""
        if seen >= self._begins_after:
            return list(takewhile(lambda frame: frame.version > seen, reversed(self._frames)))[::-1]
        return [_frame(entry) for entry in await self._histories.history(self._session_id, seen, settled=True) or ()]

    async def _read(self) -> None:
        """Fetch what is new until nothing is; what could not be had is heard of again at the next poll."""
        try:
            while self._heard_of > (known := self.version):
                entries = await self._histories.history(self._session_id, known, settled=True)
                if entries is None:
                    self.end()
                if not entries:
                    return
                for entry in entries:
                    self._keep(_frame(entry))
                self.bell.ring()
        except Unreachable:
            pass
        except Exception:
            log.exception("listening_crashed")

    def _keep(self, frame: Frame) -> None:
        if len(self._frames) == KEPT:
            self._begins_after = self._frames[0].version
        self._frames.append(frame)


class Feeds:
    """The feeds of all sessions that somebody listens to at this gateway. Woken by `LiveUpdates`."""

    def __init__(self, histories: Histories, audience: Audience) -> None:
        self._histories = histories
        self._audience = audience
        self._feeds: dict[SessionId, Feed] = {}
        self._stopping = False
        self.rounds = Rounds(self.poll, every_seconds=POLL_SECONDS, pace_seconds=0.0)

    async def follow(self, session_id: SessionId, seen: int, version: int) -> AsyncGenerator[bytes]:
        """Give what came and comes after version `seen`, each event once; a comment when nothing happens for long.

        `version` is that of the session as it was just loaded. Ends when the session is over, or gone, or the gateway
        stops.
        """
        yield views.opening()
        with self._audience.joined(), self._listening(session_id) as feed:
            feed.hear(version)
            while not (self._stopping or feed.gone):
                frames: Sequence[Frame] = ()
                with suppress(Unreachable):
                    frames = await feed.behind(seen)
                if frames:
                    seen = frames[-1].version
                    yield b"".join(frame.sent for frame in frames)
                elif feed.over and seen == feed.version:
                    yield views.END
                    return
                elif not await feed.bell.heard(HEARTBEAT_SECONDS):
                    yield views.HEARTBEAT

    def moved(self, session_id: SessionId, version: int) -> None:
        if feed := self._feeds.get(session_id):
            feed.hear(version)

    def missed(self) -> None:
        self.rounds.soon()

    def stop(self) -> None:
        """End all streams, so that the server can stop with clients connected."""
        self._stopping = True
        for feed in self._feeds.values():
            feed.bell.ring()

    async def poll(self) -> None:
        """Look for what nobody told of. Raises Unreachable."""
        known = {session_id: feed.version for session_id, feed in self._feeds.items()}
        if not known:
            return
        found = await self._histories.versions(list(known))
        for session_id, before in known.items():
            if feed := self._feeds.get(session_id):
                version = found.get(session_id, -1)
                if version < before:
                    feed.end()
                else:
                    feed.hear(version)

    @contextmanager
    def _listening(self, session_id: SessionId) -> Generator[Feed]:
        feed = self._feeds.get(session_id)
        if feed is None or feed.gone:
            feed = self._feeds[session_id] = Feed(session_id, self._histories)
        feed.listeners += 1
        try:
            yield feed
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.close()
                if self._feeds.get(session_id) is feed:
                    del self._feeds[session_id]


def _frame(entry: Mapping[str, Any]) -> Frame:
    return Frame(entry["version"], views.transition(entry), Status(entry["status"]))
