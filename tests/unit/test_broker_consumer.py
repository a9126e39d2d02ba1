"""What the broker no longer takes from us holds nobody up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from aio_pika.abc import AbstractIncomingMessage

from ekiden.broker import consumer


class Hanging:
    """A message of a connection that died just then: aiormq's writer has ended, and nobody says so."""

    delivery_tag = 1

    @property
    def channel(self) -> "Hanging":
        return self

    async def basic_ack(self, delivery_tag: int, *, wait: bool) -> None:
        await asyncio.Event().wait()

    async def reject(self, *, requeue: bool) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("end", [consumer._ack, consumer._reject])
async def test_an_acknowledgement_that_is_never_written_is_given_up(
    end: Callable[[AbstractIncomingMessage], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between claim and call a worker acknowledges: waiting there for ever it would keep its lease for ever."""
    monkeypatch.setattr(consumer, "ACK_SECONDS", 0.01)

    await asyncio.wait_for(end(cast("AbstractIncomingMessage", Hanging())), 10)
