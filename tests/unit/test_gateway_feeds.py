"""Feeds: each event once to everyone who listens, read once for all of them, and nobody waits for the slowest."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import pytest

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden_gateway import feeds as module
from ekiden_gateway.audience import Audience
from ekiden_gateway.feeds import Feeds
from ekiden_gateway.views.events import END, HEARTBEAT
from tests.fakes.sessions import FakeSessions

ONE = SessionId("ses_" + "1" * 32)
OTHER = SessionId("ses_" + "2" * 32)


class Listening:
    """Somebody who takes what a feed gives, in a task of its own, until it ends or he goes."""

    def __init__(self, stream: AsyncGenerator[bytes]) -> None:
        self.ids: list[int] = []
        self.words: list[bytes] = []
        self.reading = asyncio.Event()
        """While it is cleared this one takes nothing more."""
        self.reading.set()
        self._task = asyncio.create_task(self._take(stream))

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
                self.ids += [json.loads(line[6:])["id"] for line in sent.splitlines() if line.startswith(b'data: {"')]
                await self.reading.wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is several tasks away
            await asyncio.sleep(0)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def store() -> FakeSessions:
    made = FakeSessions()
    made.begin(ONE)
    made.begin(OTHER)
    return made


@pytest.fixture
def feeds(store: FakeSessions) -> Feeds:
    return Feeds(store, Audience())


async def test_a_session_is_read_once_however_many_listen(store: FakeSessions, feeds: Feeds) -> None:
    crowd = [Listening(feeds.follow(ONE, -1, 0)) for _ in range(1000)]
    await until(lambda: all(one.ids == [0] for one in crowd))
    assert store.asked == ["history"]

    feeds.moved(ONE, store.move(ONE))
    await until(lambda: all(one.ids == [0, 1] for one in crowd))
    assert store.asked == ["history"] * 2
    feeds.moved(ONE, 1)  # twice, and late
    feeds.moved(ONE, 0)
    await settle()
    assert store.asked == ["history"] * 2
    for one in crowd:
        await one.leave()


async def test_what_nobody_told_of_is_found_by_one_question_for_all_sessions(store: FakeSessions, feeds: Feeds) -> None:
    one, other = Listening(feeds.follow(ONE, 0, 0)), Listening(feeds.follow(OTHER, 0, 0))
    await settle()
    store.move(ONE)
    store.move(OTHER)
    store.asked.clear()

    await feeds.poll()
    await until(lambda: one.ids == other.ids == [1])
    assert store.asked == ["versions", "history", "history"]
    store.asked.clear()
    await feeds.poll()
    await settle()
    assert store.asked == ["versions"]
    await one.leave()
    await other.leave()
    store.asked.clear()
    await feeds.poll()
    assert store.asked == []


async def test_a_move_during_a_look_is_not_overlooked(store: FakeSessions, feeds: Feeds) -> None:
    one = Listening(feeds.follow(ONE, -1, 0))
    await until(lambda: one.ids == [0])
    store.answering.clear()
    feeds.moved(ONE, store.move(ONE))
    await settle()  # the answer, which knows of one move, is under way
    feeds.moved(ONE, store.move(ONE))
    await settle()
    store.answering.set()
    await until(lambda: one.ids == [0, 1, 2])
    await one.leave()


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_leaves_and_comes_back_misses_nothing_and_hears_nothing_twice(
    store: FakeSessions, feeds: Feeds, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    dice = random.Random(seed)
    heard: list[list[int]] = [[] for _ in range(5)]
    present: dict[int, Listening] = {}
    version = 0
    for _ in range(300):
        someone = dice.randrange(len(heard))
        match dice.randrange(5):
            case 0:
                version = store.move(ONE)
            case 1:
                version = store.move(ONE)
                feeds.moved(ONE, version)
            case 2 if someone not in present:
                seen = heard[someone][-1] if heard[someone] else -1
                present[someone] = Listening(feeds.follow(ONE, seen, version))
            case 3 if someone in present:
                left = present.pop(someone)
                await left.leave()
                heard[someone] += left.ids
            case _:
                await feeds.poll()
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
    for someone, ids in enumerate(heard):
        last = present.get(someone) or Listening(feeds.follow(ONE, ids[-1] if ids else -1, version))
        await feeds.poll()
        await until(lambda last=last, ids=ids: [*ids, *last.ids] == list(range(version + 1)))
        await last.leave()


async def test_a_slow_listener_holds_nobody_up_and_costs_no_memory(
    store: FakeSessions, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 10)
    slow, quick = Listening(feeds.follow(ONE, -1, 0)), Listening(feeds.follow(ONE, -1, 0))
    await until(lambda: slow.ids == quick.ids == [0])
    slow.reading.clear()
    for version in range(1, 101):
        feeds.moved(ONE, store.move(ONE))
        await until(lambda version=version: quick.ids[-1:] == [version])
    assert slow.ids == [0, 1]
    assert len(feeds._feeds[ONE]._frames) == 10
    slow.reading.set()
    await until(lambda: slow.ids == list(range(101)))
    await slow.leave()
    await quick.leave()


async def test_nothing_is_kept_of_a_session_that_nobody_listens_to(store: FakeSessions, feeds: Feeds) -> None:
    before = asyncio.all_tasks()  # other tests' fixtures may share our loop
    crowd = [Listening(feeds.follow(ONE, -1, 0)) for _ in range(3)]
    await until(lambda: all(one.ids == [0] for one in crowd))
    crowd[0].reading.clear()
    store.answering.clear()
    feeds.moved(ONE, store.move(ONE))
    await settle()
    for one in crowd:
        await one.leave()
    await settle()
    assert feeds._feeds == {}
    assert asyncio.all_tasks() <= before, "the look that was under way is over, too"


async def test_a_session_that_is_over_ends_its_streams(store: FakeSessions, feeds: Feeds) -> None:
    one = Listening(feeds.follow(ONE, -1, 0))
    feeds.moved(ONE, store.move(ONE, Status.COMPLETED))
    await until(lambda: one.ended)
    assert (one.ids, one.words[-1]) == ([0, 1], END)
    assert b"id:" not in END


async def test_a_session_that_failed_waits_for_a_person_and_so_do_its_streams(
    store: FakeSessions, feeds: Feeds
) -> None:
    one = Listening(feeds.follow(ONE, -1, 0))
    feeds.moved(ONE, store.move(ONE, Status.FAILED))
    await until(lambda: one.ids == [0, 1])
    await settle()
    assert not one.ended
    await one.leave()


async def test_a_session_that_goes_on_again_is_not_over_for_who_knows_of_it(store: FakeSessions, feeds: Feeds) -> None:
    slow = Listening(feeds.follow(ONE, -1, 0))
    await until(lambda: slow.ids == [0])
    slow.reading.clear()
    feeds.moved(ONE, store.move(ONE, Status.COMPLETED))
    await until(lambda: slow.ids == [0, 1])
    version = store.move(ONE)  # a phase is done again, and nobody tells this gateway of it
    back = Listening(feeds.follow(ONE, version, version))
    feeds.moved(ONE, store.move(ONE))
    await until(lambda: back.ids == [3])
    assert not back.ended
    await back.leave()
    await slow.leave()


async def test_a_session_that_is_pruned_ends_its_streams(store: FakeSessions, feeds: Feeds) -> None:
    one = Listening(feeds.follow(ONE, 0, 0))
    await settle()
    store.prune(ONE)
    await feeds.poll()
    await until(lambda: one.ended)
    assert one.words[1:] == []


async def test_a_session_out_of_a_backup_is_told_anew(store: FakeSessions, feeds: Feeds) -> None:
    for _ in range(5):
        store.move(ONE)
    one = Listening(feeds.follow(ONE, 4, 5))
    await until(lambda: one.ids == [5])
    store.restore(ONE, 2)
    await feeds.poll()
    await until(lambda: one.ended)
    anew = Listening(feeds.follow(ONE, -1, 2))
    await until(lambda: anew.ids == [0, 1, 2])
    await anew.leave()


async def test_a_database_that_is_away_for_a_while_costs_nothing_but_the_while(
    store: FakeSessions, feeds: Feeds
) -> None:
    one = Listening(feeds.follow(ONE, -1, 0))
    await until(lambda: one.ids == [0])
    store.away = True
    feeds.moved(ONE, store.move(ONE))
    await settle()
    assert not one.ended
    store.away = False
    await feeds.poll()
    await until(lambda: one.ids == [0, 1])
    await one.leave()


async def test_a_silent_stream_gives_a_sign_of_life(
    store: FakeSessions, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    one = Listening(feeds.follow(ONE, 0, 0))
    await until(lambda: one.words[1:4] == [HEARTBEAT] * 3)
    assert HEARTBEAT.startswith(b":")
    await one.leave()


async def test_a_gateway_that_stops_ends_all_streams_and_begins_none(store: FakeSessions, feeds: Feeds) -> None:
    crowd = [Listening(feeds.follow(session_id, 0, 0)) for session_id in (ONE, ONE, OTHER)]
    await settle()
    feeds.stop()
    crowd.append(Listening(feeds.follow(OTHER, 0, 0)))
    await until(lambda: all(one.ended for one in crowd))
    assert feeds._feeds == {}
