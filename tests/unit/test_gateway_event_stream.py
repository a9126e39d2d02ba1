"""Streams end with the right to listen, and with nothing else that goes wrong."""

from collections.abc import AsyncGenerator
from typing import Literal

import pytest

from ekiden.errors import Unreachable
from ekiden_gateway import event_stream as module
from ekiden_gateway.event_stream import as_long_as
from ekiden_gateway.feeds import HEARTBEAT_SECONDS


class Source:
    """Five events; knows whether it was closed, and how often it was asked whether to go on."""

    def __init__(self, *answers: Literal["yes", "no", "away"]) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.closed = False

    async def events(self) -> AsyncGenerator[bytes]:
        try:
            for number in range(5):
                yield b"%d" % number
        finally:
            self.closed = True

    async def may_go_on(self) -> bool:
        self.asked += 1
        answer = self._answers.pop(0)
        if answer == "away":
            raise Unreachable("the database does not answer")
        return answer == "yes"

    async def given(self) -> list[bytes]:
        return [sent async for sent in as_long_as(self.may_go_on, self.events())]


@pytest.fixture
def every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKED_SECONDS", 0.0)


@pytest.mark.usefixtures("every_time")
async def test_a_stream_ends_when_its_key_is_gone_before_anything_more_is_told() -> None:
    source = Source("yes", "yes", "no")
    assert await source.given() == [b"0", b"1"]
    assert source.closed


@pytest.mark.usefixtures("every_time")
async def test_a_database_that_is_away_ends_no_stream() -> None:
    source = Source("yes", "away", "away", "yes", "yes")
    assert len(await source.given()) == source.asked == 5


async def test_a_stream_asks_now_and_then_and_at_each_sign_of_life() -> None:
    source = Source()
    assert len(await source.given()) == 5
    assert source.asked == 0
    assert module.ASKED_SECONDS < HEARTBEAT_SECONDS
