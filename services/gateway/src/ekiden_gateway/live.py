"""Wake-ups for live views: a queue of this gateway's own, which may lose everything without anything being lost."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from ekiden.broker import topology
from ekiden.broker.away import away
from ekiden.errors import Unreachable
from ekiden.messages.envelope import SessionMoved

log = structlog.get_logger()


class LiveUpdates:
    """Tells those who watch a session that it moved.

    The queue is classic, exclusive and auto-delete, bound to `session.#`: transient, unacknowledged, of no one's
    concern when it fails. Whoever watches reads the history from the database, and polls it as well.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self.stopping = asyncio.Event()

    @contextmanager
    def watch(self, session_id: str) -> Generator[asyncio.Event]:
        """An event that is set whenever the session may have moved, or the gateway stops."""
        woken = asyncio.Event()
        watchers = self._watchers.setdefault(session_id, set())
        watchers.add(woken)
        try:
            yield woken
        finally:
            watchers.discard(woken)
            if not watchers and self._watchers.get(session_id) is watchers:
                del self._watchers[session_id]

    def stop(self) -> None:
        """End all streams, so that the server can stop with clients connected."""
        self.stopping.set()
        for watchers in self._watchers.values():
            for woken in watchers:
                woken.set()

    async def run_forever(self) -> None:
        while True:
            try:
                with away("no live updates"):
                    await self._listen()
            except Unreachable as error:
                log.debug("live_updates_interrupted", error=str(error))
            except Exception:
                log.exception("listening_crashed")
            await asyncio.sleep(topology.RECONNECT_SECONDS)

    async def _listen(self) -> None:
        """Listen on a connection of its own until that is lost."""
        address = topology.with_heartbeat(self._url)
        async with await aio_pika.connect(address, timeout=topology.PUBLISH_SECONDS) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=100)
            queue = await channel.declare_queue(f"ekiden.live.{uuid4().hex}", exclusive=True, auto_delete=True)
            await queue.bind(topology.EVENTS, topology.SESSION_EVENTS)
            await queue.consume(self._wake, no_ack=True)
            for watchers in self._watchers.values():  # what was sent while nobody listened
                for woken in watchers:
                    woken.set()
            await connection.closed()

    async def _wake(self, message: AbstractIncomingMessage) -> None:
        try:
            moved = SessionMoved.model_validate_json(message.body)
        except ValidationError:
            log.debug("live_update_not_decoded", type=message.type)
            return
        for woken in self._watchers.get(moved.session_id, ()):
            woken.set()
