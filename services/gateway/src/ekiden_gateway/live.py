"""Wake-ups for live views: a queue of this gateway's own, which may lose everything without anything being lost."""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import uuid4

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from pydantic import ValidationError

from ekiden.broker import topology
from ekiden.broker.away import away
from ekiden.domain.ids import SessionId
from ekiden.errors import Unreachable
from ekiden.messages.envelope import SessionMoved
from ekiden_gateway.audience import Audience

log = structlog.get_logger()


class Listener(Protocol):
    """Whoever is woken. Neither may block."""

    def moved(self, session_id: SessionId, version: int) -> None:
        """A session has come to a version. Told late, twice or never."""
        ...

    def missed(self) -> None:
        """Nobody listened for a while, and now somebody does."""
        ...


class LiveUpdates:
    """Tells of each session that moved, while there is an audience: a session moves with every step.

    The queue is classic, exclusive and auto-delete, bound to `session.#`: transient, unacknowledged, of no one's
    concern when it fails. Whoever listens reads the history from the database, and polls it as well.
    """

    def __init__(self, url: str, listeners: Sequence[Listener], audience: Audience) -> None:
        self._url = url
        self._listeners = listeners
        self._audience = audience

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
            await queue.consume(self._wake, no_ack=True)
            serving = asyncio.create_task(self.serve(queue))
            lost = asyncio.ensure_future(connection.closed())
            try:
                ended, _ = await asyncio.wait((serving, lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                serving.cancel()
            for why in ended:
                await why

    async def serve(self, queue: AbstractQueue) -> None:
        """Have the queue bound for as long as somebody listens. What came before is looked for: it was not told."""
        while True:
            await self._audience.somebody.wait()
            await queue.bind(topology.EVENTS, topology.SESSION_EVENTS)
            for listener in self._listeners:
                listener.missed()
            await self._audience.nobody.wait()
            await queue.unbind(topology.EVENTS, topology.SESSION_EVENTS)

    async def _wake(self, message: AbstractIncomingMessage) -> None:
        try:
            told = SessionMoved.model_validate_json(message.body)
        except ValidationError:
            log.debug("live_update_not_decoded", type=message.type)
            return
        for session in told.sessions:
            for listener in self._listeners:
                listener.moved(session.session_id, session.version)
