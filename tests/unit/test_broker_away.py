"""What aio-pika does when a connection dies becomes one word; what a person cancels stays cancelled."""

import asyncio
from typing import Any, cast

import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import AMQPConnectionError

from ekiden.broker import dead_letters
from ekiden.broker.away import away
from ekiden.broker.publisher import Publisher
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.session import Money, Session
from ekiden.errors import Unreachable
from ekiden.stamp import Stamp


class DyingChannel:
    """Cancels whoever waits for it, as aiormq does when the connection dies."""

    is_closed = False

    async def get_underlay_channel(self) -> None:
        await _cancelled_by_nobody()


async def _cancelled_by_nobody() -> None:
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


def a_session() -> Session:
    now = DatabaseClock().now()
    return Session(SessionId("ses_" + "0" * 32), "me", "small@1", {}, "en", now, Money(Micros(1)))


async def test_a_live_update_lost_with_its_connection_is_nobodys_concern() -> None:
    publisher = Publisher("amqp://127.0.0.1:1/", Stamp(DatabaseClock()))
    publisher._live = cast("AbstractChannel", DyingChannel())
    await publisher.session_moved(a_session())


async def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("error", [AMQPConnectionError(), ConnectionError(), TimeoutError(), RuntimeError(), OSError()])
async def test_a_failure_of_the_broker_is_unreachable(error: Exception) -> None:
    with pytest.raises(Unreachable, match="not confirmed"), away("not confirmed"):
        await _raise(error)


async def test_a_cancellation_by_a_dying_connection_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="the connection was lost"), away("not confirmed"):
        await _cancelled_by_nobody()


async def test_a_cancellation_by_somebody_is_kept() -> None:
    began = asyncio.Event()

    async def waits() -> None:
        with away("not confirmed"):
            began.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(waits())
    await began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# ── forged dead letters ──────────────────────────────────────────────────────────────────────────────────

ODD: list[Any] = [None, 5, -1, 2**70, 1.5, True, "", "text", b"\xff", [], [5], [None], {}, {"a": [1]}, [[1]], [{}]]
OWN = ["queue", "exchange", "routing-key", "reason", "error", "deaths", "died-at", "size"]
BROKERS = ["queue", "exchange", "routing-keys", "reason", "time", "count"]


class Letter:
    """As much of a message as is read of a dead letter."""

    message_id = type = content_type = exchange = routing_key = None
    body = b"{}"

    def __init__(self, headers: dict[str, Any]) -> None:
        self.headers = headers


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_dead_letter_can_be_read_whatever_its_headers_hold(odd: Any) -> None:
    own = [{"ekiden-reason": "x", f"ekiden-{name}": odd} for name in OWN]
    brokers = [{"x-death": [{name: odd}]} for name in BROKERS]
    for headers in [*own, *brokers, {"x-death": odd}, {"x-death": [odd]}, {"foreign": odd}]:
        read = dead_letters.read(cast("AbstractIncomingMessage", Letter(headers)))
        assert read.id
        assert read.reason
        assert all(isinstance(text, str) for text in (read.queue, read.exchange, read.routing_key, read.error))
