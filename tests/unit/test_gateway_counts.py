"""Counts: the present, to everyone who watches, and one question for all of them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import pytest

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden_gateway import counts as module
from ekiden_gateway.audience import Audience
from ekiden_gateway.counts import Counts
from ekiden_gateway.views.events import HEARTBEAT
from tests.fakes.sessions import FakeSessions

ONE = SessionId("ses_" + "1" * 32)
OTHER = SessionId("ses_" + "2" * 32)


class Watching:
    def __init__(self, stream: AsyncGenerator[bytes]) -> None:
        self.words: list[bytes] = []
        self._task = asyncio.create_task(self._take(stream))

    @property
    def counts(self) -> list[dict[str, int]]:
        """What was told, without what is 0."""
        told = [line[6:] for word in self.words for line in word.splitlines() if line.startswith(b"data: ")]
        return [{name: count for name, count in json.loads(data).items() if count} for data in told]

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def leave(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _take(self, stream: AsyncGenerator[bytes]) -> None:
        async with aclosing(stream):
            async for sent in stream:
                self.words.append(sent)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is several tasks away
            await asyncio.sleep(0)


@pytest.fixture
def store() -> FakeSessions:
    made = FakeSessions()
    made.begin(ONE, "me")
    made.begin(OTHER, "you")
    return made


@pytest.fixture
def counts(store: FakeSessions) -> Counts:
    return Counts(store, Audience())


async def test_the_counts_are_told_at_once_and_whenever_a_session_moved(store: FakeSessions, counts: Counts) -> None:
    watching = [Watching(counts.follow(owner, await counts.of(owner))) for owner in ("me", "me", "you", "nobody")]
    await until(lambda: all(one.counts for one in watching))
    store.asked.clear()
    store.move(ONE, Status.THINKING)
    await counts.count()
    await until(lambda: len(watching[1].counts) == 2)
    store.move(ONE, Status.THINKING)  # which changes no count
    await counts.count()
    await until(lambda: len(watching[1].counts) == 3)
    await counts.count()
    assert store.asked == ["counted"] * 3
    mine, again, yours, nobodys = (one.counts for one in watching)
    assert mine == again == [{"total": 1, "pending": 1}, *[{"total": 1, "thinking": 1}] * 2]
    assert (yours, nobodys) == ([{"total": 1, "pending": 1}], [{}])
    for one in watching:
        await one.leave()


async def test_the_last_session_of_an_owner_that_goes_is_told_of(store: FakeSessions, counts: Counts) -> None:
    one = Watching(counts.follow("me", await counts.of("me")))
    await until(lambda: bool(one.counts))
    store.prune(ONE)
    await counts.count()
    await until(lambda: one.counts == [{"total": 1, "pending": 1}, {}])
    await one.leave()


async def test_whoever_comes_back_is_not_told_of_the_past(store: FakeSessions, counts: Counts) -> None:
    one = Watching(counts.follow("me", await counts.of("me")))
    await until(lambda: bool(one.counts))
    await counts.count()
    await one.leave()
    store.move(ONE, Status.THINKING)
    back = Watching(counts.follow("me", await counts.of("me")))
    await until(lambda: bool(back.counts))
    await counts.count()
    await asyncio.sleep(0)
    assert back.counts == [{"total": 1, "thinking": 1}]
    await back.leave()


async def test_nothing_is_asked_when_nobody_watches(store: FakeSessions, counts: Counts) -> None:
    one = Watching(counts.follow("me", await counts.of("me")))
    await until(lambda: bool(one.counts))
    await one.leave()
    store.asked.clear()
    await counts.count()
    assert (store.asked, counts._watchers) == ([], {})


async def test_a_silent_stream_gives_a_sign_of_life(counts: Counts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    one = Watching(counts.follow("me", {}))
    await until(lambda: one.words[1:4] == [HEARTBEAT] * 3)
    await one.leave()


async def test_a_gateway_that_stops_ends_all_streams(counts: Counts) -> None:
    one = Watching(counts.follow("me", {}))
    await until(lambda: bool(one.counts))
    counts.stop()
    await until(lambda: one.ended)
    assert counts._watchers == {}
