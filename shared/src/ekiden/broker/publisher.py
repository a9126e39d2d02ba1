"""Sending: every publish is persistent, mandatory, confirmed and has a deadline."""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar, cast

import aio_pika
import aiormq
import structlog
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractRobustConnection

from ekiden import tracing
from ekiden.broker import dead_letters, spans, topology
from ekiden.broker.away import away
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.domain.session import Session, Status
from ekiden.errors import Unreachable
from ekiden.messages.dead_letter import DeadLetter
from ekiden.messages.envelope import (
    TASK_MESSAGES,
    Envelope,
    Moved,
    Named,
    SessionMoved,
    TaskCompleted,
    TaskFailed,
    TaskMessage,
)
from ekiden.metrics import PUBLISH_SECONDS
from ekiden.stamp import Stamp
from ekiden.together import Together
from ekiden.turn import Turn

log = structlog.get_logger()
T = TypeVar("T", bound=TaskMessage)
TEXTS_TOGETHER = 8
"""As many texts share a command: an eighth of what a worker has in hand, so that several have something to share."""


class Announcer(Protocol):
    """Wakes up others. A message is only a wake-up: each of these may raise Unreachable and nothing is lost."""

    async def command(self, provider: Provider, task_id: TaskId, session_id: SessionId) -> None: ...

    async def task_ended(self, task_id: TaskId, session_id: SessionId, *, completed: bool) -> None: ...

    async def session_moved(self, session: Session) -> None: ...


class Publisher:
    """Implements `Announcer` over one robust connection with two channels: confirmed, and for live views only.

    What there is to tell of at the same moment shares messages (ADR 11), but where each task has a trace of its own.
    """

    def __init__(self, url: str, stamp: Stamp) -> None:
        self._url = url
        self._stamp = stamp
        self._connection: AbstractRobustConnection | None = None
        self._confirmed: AbstractChannel | None = None
        self._live: AbstractChannel | None = None
        self._completed: Together[Named, None] = Together(self._tell_completed, Turn())
        self._texts: dict[Provider, Together[Named, None]] = {}
        self._moved: Together[Session, None] = Together(self._tell_moved, Turn())

    async def connect(self) -> None:
        """Connect, once, and declare the topology. Raises Unreachable."""
        if self._connection is not None:
            return
        with away("the broker does not answer"):
            await topology.declare_at(self._url)
            connection = await aio_pika.connect_robust(
                topology.with_heartbeat(self._url),
                reconnect_interval=topology.RECONNECT_SECONDS,
                timeout=topology.PUBLISH_SECONDS,
            )
            try:
                self._confirmed = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._live = await connection.channel(publisher_confirms=False)
            except BaseException:  # half made: the next call begins anew
                await connection.close()
                raise
        self._connection = connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.connected.is_set() and not connection.is_closed

    async def command(self, provider: Provider, task_id: TaskId, session_id: SessionId) -> None:
        """A search is long and dear enough for a message of its own: whichever worker is free first has it."""
        named = Named(task_id=task_id, session_id=session_id)
        if provider.searches or tracing.is_on():
            await self._order(provider, [named])
            return
        if provider not in self._texts:
            self._texts[provider] = Together(partial(self._tell_texts, provider), Turn())
        await self._texts[provider](named)

    async def _tell_texts(self, provider: Provider, tasks: Sequence[Named]) -> Sequence[None]:
        shares = (tasks[first : first + TEXTS_TOGETHER] for first in range(0, len(tasks), TEXTS_TOGETHER))
        await asyncio.gather(*(self._order(provider, share) for share in shares))
        return [None] * len(tasks)

    async def _order(self, provider: Provider, tasks: Sequence[Named]) -> None:
        await self._send(topology.COMMANDS, provider.value, self._about(TASK_MESSAGES[provider.kind], tasks))

    async def task_ended(self, task_id: TaskId, session_id: SessionId, *, completed: bool) -> None:
        if not completed:
            failed = TaskFailed(**self._stamp.fields(), task_id=task_id, session_id=session_id)
            await self._send(topology.EVENTS, topology.TASK_FAILED, failed)
            return
        named = Named(task_id=task_id, session_id=session_id)
        if tracing.is_on():
            await self._tell_completed([named])
        else:
            await self._completed(named)

    async def _tell_completed(self, tasks: Sequence[Named]) -> Sequence[None]:
        await self._send(topology.EVENTS, topology.TASK_COMPLETED, self._about(TaskCompleted, tasks))
        return [None] * len(tasks)

    def _about(self, kind: Callable[..., T], tasks: Sequence[Named]) -> T:
        first, *also = tasks
        return kind(**self._stamp.fields(), task_id=first.task_id, session_id=first.session_id, also=tuple(also))

    async def session_moved(self, session: Session) -> None:
        """Tell live views; sent last, not persistent, and its failure is nobody's concern."""
        await self._moved(session)

    async def _tell_moved(self, sessions: Sequence[Session]) -> Sequence[None]:
        by_status: dict[Status, list[Moved]] = {}
        for session in sessions:
            by_status.setdefault(session.status, []).append(Moved(session_id=session.id, version=session.version))
        for status, (first, *also) in by_status.items():
            message = SessionMoved(
                **self._stamp.fields(),
                session_id=first.session_id,
                version=first.version,
                status=status,
                also=tuple(also),
            )
            await self._tell_live(message)
        return [None] * len(sessions)

    async def _tell_live(self, moved: SessionMoved) -> None:
        if self._live is None:
            return
        key = f"session.{moved.status.lower()}"
        try:
            with away("not sent"):
                await _put(self._live, topology.EVENTS, key, _message(moved, persistent=False), mandatory=False)
        except Unreachable as error:
            log.debug("live_update_lost", session_id=moved.session_id, error=str(error))

    async def bury(self, message: AbstractIncomingMessage, queue: str, reason: str, error: str) -> None:
        """Put aside what nobody could handle, with the reason in headers of our own. Raises Unreachable."""
        letter = dead_letters.inscription(message, queue, reason, error, self._stamp.clock.now())
        await self._publish_to(topology.DEAD_LETTERS, letter)

    async def replay(self, letter: DeadLetter) -> None:
        """Send a dead letter to the queue it came from. Raises Unreachable: then it may or may not have arrived."""
        await self._publish_to(letter.queue, dead_letters.replay(letter))

    async def _publish_to(self, queue: str, message: aio_pika.Message) -> None:
        await self._publish(topology.DEFAULT, queue, message)

    async def _send(self, exchange: str, key: str, message: Envelope) -> None:
        await self._publish(exchange, key, _message(message, persistent=True))

    async def _publish(self, exchange: str, key: str, message: aio_pika.Message) -> None:
        if self._confirmed is None:
            raise Unreachable("the broker was never reached")
        with spans.publishing(exchange, key, message), away("not confirmed"):
            message.headers |= tracing.headers()
            with _measured():
                await _put(self._confirmed, exchange, key, message, mandatory=True)


async def _put(
    channel: AbstractChannel, exchange: str, key: str, message: aio_pika.Message, *, mandatory: bool
) -> None:
    """Publish on the channel below aio-pika's: there messages of one moment follow each other at once.

    aio-pika has each wait until the one before it is written. On a confirming channel it returns when this one is safe.
    """
    if channel.is_closed:
        raise ConnectionError("the channel is closed")  # as aio-pika has it: nobody waits here for a lost broker
    async with asyncio.timeout(topology.PUBLISH_SECONDS):
        below = cast("aiormq.Channel", await channel.get_underlay_channel())
        await below.basic_publish(
            message.body,
            exchange=exchange,
            routing_key=key,
            properties=message.properties,
            mandatory=mandatory,
            wait=False,
        )


@contextmanager
def _measured() -> Generator[None]:
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "confirmed"
    finally:
        PUBLISH_SECONDS.labels(outcome=outcome).observe(time.perf_counter() - began)


def _message(message: Envelope, *, persistent: bool) -> aio_pika.Message:
    return aio_pika.Message(
        message.encode(),
        content_type="application/json",
        message_id=message.message_id,
        type=getattr(message, "type", None),
        delivery_mode=DeliveryMode.PERSISTENT if persistent else DeliveryMode.NOT_PERSISTENT,
    )
