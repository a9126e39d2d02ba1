"""Live updates come to a gateway while somebody listens there, and not otherwise."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from ekiden.broker.topology import EVENTS, SESSION_EVENTS
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden.messages.envelope import Moved, SessionMoved
from ekiden.stamp import Stamp
from ekiden_gateway.audience import Audience
from ekiden_gateway.live import LiveUpdates


class Queue:
    """What the broker would be told of a queue."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    async def bind(self, exchange: str, key: str) -> None:
        self.told.append(("bind", exchange, key))

    async def unbind(self, exchange: str, key: str) -> None:
        self.told.append(("unbind", exchange, key))


@dataclass
class Body:
    """As much of a message as is read."""

    body: bytes


class Listener:
    def __init__(self) -> None:
        self.looked = 0
        self.heard: list[tuple[SessionId, int]] = []

    def moved(self, session_id: SessionId, version: int) -> None:
        self.heard.append((session_id, version))

    def missed(self) -> None:
        self.looked += 1


BOUND, FREED = ("bind", EVENTS, SESSION_EVENTS), ("unbind", EVENTS, SESSION_EVENTS)


@pytest.fixture
def audience() -> Audience:
    return Audience()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def queue(audience: Audience, listener: Listener) -> AsyncIterator[Queue]:
    made = Queue()
    live = LiveUpdates("amqp://nowhere", [listener], audience)
    serving = asyncio.create_task(live.serve(cast("AbstractQueue", made)))
    yield made
    serving.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is several tasks away
            await asyncio.sleep(0)


async def test_nothing_is_brought_to_a_gateway_at_which_nobody_listens(audience: Audience, queue: Queue) -> None:
    for _ in range(10):
        await asyncio.sleep(0)
    assert queue.told == []

    with audience.joined():
        await until(lambda: queue.told == [BOUND])
        with audience.joined():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert queue.told == [BOUND]
    await until(lambda: queue.told == [BOUND, FREED])


async def test_every_session_that_an_update_tells_of_is_heard_of(audience: Audience, listener: Listener) -> None:
    one, two = (SessionId(f"ses_{n:032x}") for n in (1, 2))
    also = (Moved(session_id=two, version=7),)
    told = SessionMoved(
        **Stamp(DatabaseClock()).fields(), session_id=one, version=3, status=Status.EXECUTING, also=also
    )
    await LiveUpdates("amqp://nowhere", [listener], audience)._wake(
        cast("AbstractIncomingMessage", Body(told.encode()))
    )
    assert listener.heard == [(one, 3), (two, 7)]


async def test_what_moved_before_the_first_listener_could_be_told_is_looked_for(
    audience: Audience, queue: Queue, listener: Listener
) -> None:
    for times in (1, 2):
        with audience.joined():
            await until(lambda times=times: listener.looked == times)
            assert queue.told[-1] == BOUND
        await until(lambda: queue.told[-1] == FREED)
