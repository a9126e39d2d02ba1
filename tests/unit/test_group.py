"""Group commit: who asks at the same time shares a trip; who asks alone never waits for company."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from pymongo.errors import AutoReconnect

from ekiden.errors import Unreachable
from ekiden.store.group import MOST_TOGETHER, Group


class Trips:
    """Doubles what it is asked; notes who travelled together; waits at a gate while it is shut."""

    def __init__(self, fails: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.made: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._fails = fails

    async def __call__(self, asked: Sequence[int]) -> list[int]:
        self.made.append(list(asked))
        await self.gate.wait()
        for each in asked:
            if (error := self._fails(each)) is not None:
                raise error
        return [2 * each for each in asked]


async def ask(group: Group[int, int], numbers: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*map(group, numbers), return_exceptions=True)


async def test_whoever_asks_alone_leaves_at_once() -> None:
    trips = Trips()
    group = Group(trips)

    assert [await group(1), await group(2)] == [2, 4]
    assert trips.made == [[1], [2]]


async def test_who_asks_in_the_same_turn_travels_together_and_gets_his_own_answer() -> None:
    trips = Trips()

    assert await ask(Group(trips), [1, 2, 3]) == [2, 4, 6]
    assert trips.made == [[1, 2, 3]]


async def test_who_comes_while_a_trip_is_under_way_leaves_with_the_next_one() -> None:
    trips = Trips()
    group = Group(trips)
    trips.gate.clear()
    first = asyncio.create_task(group(1))
    await asyncio.sleep(0)
    others = asyncio.create_task(ask(group, [2, 3]))
    await asyncio.sleep(0)
    trips.gate.set()

    assert (await first, await others) == (2, [4, 6])
    assert trips.made == [[1], [2, 3]]


async def test_no_trip_has_more_than_fit_into_it() -> None:
    trips = Trips()
    numbers = range(MOST_TOGETHER + 1)

    assert await ask(Group(trips), numbers) == [2 * number for number in numbers]
    assert [len(made) for made in trips.made] == [MOST_TOGETHER, 1]


async def test_a_mistake_of_one_is_nobody_elses() -> None:
    trips = Trips(lambda number: ValueError("two") if number == 2 else None)

    answers = await ask(Group(trips), [1, 2, 3])

    assert (answers[0], answers[2]) == (2, 6)
    assert isinstance(answers[1], ValueError)


@pytest.mark.parametrize("error", [Unreachable("gone"), AutoReconnect("gone")])
async def test_a_server_that_is_away_is_told_to_all_and_asked_once(error: Exception) -> None:
    trips = Trips(lambda _: error)

    answers = await ask(Group(trips), [1, 2, 3])

    assert [type(answer) for answer in answers] == [Unreachable] * 3
    assert trips.made == [[1, 2, 3]]


async def test_after_an_outage_the_next_trip_is_made() -> None:
    away = [True]
    group = Group(Trips(lambda _: Unreachable("gone") if away[0] else None))
    with pytest.raises(Unreachable):
        await group(1)
    away[0] = False

    assert await group(2) == 4


async def test_somebody_who_gives_up_holds_nobody_up() -> None:
    trips = Trips()
    group = Group(trips)
    trips.gate.clear()
    gone, stays = asyncio.create_task(group(1)), asyncio.create_task(group(2))
    await asyncio.sleep(0)
    gone.cancel()
    trips.gate.set()

    assert await stays == 4
    assert gone.cancelled() or await asyncio.wait([gone])
