"""Rounds: sooner when there is reason to, and never all that a gateway does."""

import asyncio

import pytest

from ekiden.errors import Unreachable
from ekiden_gateway import rounds as module
from ekiden_gateway.rounds import Rounds


class Work:
    """Is waited for by its number of rounds."""

    def __init__(self, *, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.begun: list[float] = []
        self._seconds, self._error = seconds, error
        self._again = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        self._again.set()
        await asyncio.sleep(self._seconds)
        if self._error:
            raise self._error

    async def times(self, rounds: int) -> None:
        async with asyncio.timeout(10):
            while len(self.begun) < rounds:
                self._again.clear()
                await self._again.wait()


async def test_a_round_is_soon_when_there_is_reason_to() -> None:
    work = Work()
    rounds = Rounds(work, every_seconds=3600.0, pace_seconds=0.0)
    going = asyncio.create_task(rounds.go_forever())
    for number in range(1, 4):
        await work.times(number)
        rounds.soon()
    await work.times(4)
    going.cancel()


@pytest.mark.parametrize("error", [None, Unreachable("away"), ValueError("nobody foresaw this")], ids=str)
async def test_without_a_reason_a_round_comes_all_the_same(error: Exception | None) -> None:
    work = Work(error=error)
    going = asyncio.create_task(Rounds(work, every_seconds=0.001, pace_seconds=0.0).go_forever())
    await work.times(2)
    going.cancel()


async def test_with_reasons_all_the_time_rounds_keep_their_pace() -> None:
    work = Work()
    rounds = Rounds(work, every_seconds=3600.0, pace_seconds=0.02)
    going = asyncio.create_task(rounds.go_forever())
    while len(work.begun) < 4:
        rounds.soon()
        await asyncio.sleep(0)
    going.cancel()
    assert work.begun[3] - work.begun[0] > 2 * 0.02  # timers may be a moment early


async def test_slow_rounds_leave_time_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.2)
    work = Work(seconds=0.005)
    rounds = Rounds(work, every_seconds=0.0, pace_seconds=0.0)
    going = asyncio.create_task(rounds.go_forever())
    await work.times(3)
    going.cancel()
    assert work.begun[2] - work.begun[0] > 1.5 * 0.005 / module.SHARE
