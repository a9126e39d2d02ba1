"""Loops that live as long as their process: what nobody foresaw is logged, and they go on."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ekiden import backbone
from ekiden.backbone import Backbone
from ekiden.broker import consumer, topology
from ekiden.broker.consumer import Consumer
from ekiden_gateway import parts
from ekiden_gateway.live import LiveUpdates
from ekiden_gateway.parts import Parts
from ekiden_orchestrator import loops

Work = Callable[..., Awaitable[None]]
Loop = Callable[[], Awaitable[None]]


def backbones(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    patch.setattr(backbone, "CLOCK_SECONDS", 0)
    stand_in = cast("Backbone", SimpleNamespace(database=SimpleNamespace(synchronise_clock=work)))
    return lambda: Backbone._synchronise_forever(stand_in)


def consumers(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    async def lost(*_: object) -> list[Any]:
        await work()
        return []

    patch.setattr(consumer, "HEAL_SECONDS", 0)
    patch.setattr(consumer, "lost", lost)
    connection = SimpleNamespace(connected=SimpleNamespace(is_set=lambda: True))
    stand_in = cast("Consumer", SimpleNamespace(_connection=connection, _subscriptions=[]))
    return lambda: Consumer.heal_forever(stand_in)


def orchestrators(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    async def counted() -> float:
        await work()
        return 0.0

    patch.setattr(loops, "AGAIN_SECONDS", 0)
    return lambda: loops.forever("test", counted)


def gateways_database(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    patch.setattr(parts, "AGAIN_SECONDS", 0)
    patch.setattr(parts, "ensure_schema", work)
    stand_in = SimpleNamespace(database=SimpleNamespace(synchronise_clock=_nothing), begun=False)
    return lambda: Parts._keep_database(cast("Parts", stand_in))


def gateways_broker(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    patch.setattr(parts, "AGAIN_SECONDS", 0)
    stand_in = SimpleNamespace(publisher=SimpleNamespace(connect=work), queues=SimpleNamespace(connect=_nothing))
    return lambda: Parts._connect_broker(cast("Parts", stand_in))


def gateways_live_updates(work: Work, patch: pytest.MonkeyPatch) -> Loop:
    patch.setattr(topology, "RECONNECT_SECONDS", 0)
    return lambda: LiveUpdates.run_forever(cast("LiveUpdates", SimpleNamespace(_listen=work)))


async def _nothing(*_: object) -> None:
    pass


LOOPS = [
    backbones,
    consumers,
    orchestrators,
    gateways_database,
    gateways_broker,
    gateways_live_updates,
]


@pytest.mark.parametrize("made", LOOPS)
async def test_a_loop_survives_what_nobody_foresaw(
    made: Callable[[Work, pytest.MonkeyPatch], Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, again = 0, asyncio.Event()

    async def work(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ValueError("nobody foresaw this")
        again.set()
        await asyncio.Event().wait()

    running = asyncio.ensure_future(made(work, monkeypatch)())
    done, _ = await asyncio.wait({running, asyncio.ensure_future(again.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert running not in done
    running.cancel()
