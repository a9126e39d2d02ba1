"""Group commit: who asks at the same time shares a trip; who asks alone never waits for company."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from pymongo.errors import AutoReconnect

from ekiden import turn
from ekiden.errors import Unreachable
from ekiden.store.group import Group
from ekiden.together import MOST_TOGETHER
from ekiden.turn import Turn


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
    group = Group(trips, Turn())

    assert [await group(1), await group(2)] == [2, 4]
    assert trips.made == [[1], [2]]


async def test_who_asks_in_the_same_turn_travels_together_and_gets_his_own_answer() -> None:
    trips = Trips()

    assert await ask(Group(trips, Turn()), [1, 2, 3]) == [2, 4, 6]
    assert trips.made == [[1, 2, 3]]


async def test_who_comes_while_a_trip_is_under_way_leaves_with_the_next_one() -> None:
    trips = Trips()
    group = Group(trips, Turn())
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

    assert await ask(Group(trips, Turn()), numbers) == [2 * number for number in numbers]
    assert [len(made) for made in trips.made] == [MOST_TOGETHER, 1]


async def test_a_mistake_of_one_is_nobody_elses() -> None:
    trips = Trips(lambda number: ValueError("two") if number == 2 else None)

    answers = await ask(Group(trips, Turn()), [1, 2, 3])

    assert (answers[0], answers[2]) == (2, 6)
    assert isinstance(answers[1], ValueError)


@pytest.mark.parametrize("error", [Unreachable("gone"), AutoReconnect("gone")])
async def test_a_server_that_is_away_is_told_to_all_and_asked_once(error: Exception) -> None:
    trips = Trips(lambda _: error)

    answers = await ask(Group(trips, Turn()), [1, 2, 3])

    assert [type(answer) for answer in answers] == [Unreachable] * 3
    assert trips.made == [[1, 2, 3]]


async def test_after_an_outage_the_next_trip_is_made() -> None:
    away = [True]
    group = Group(Trips(lambda _: Unreachable("gone") if away[0] else None), Turn())
    with pytest.raises(Unreachable):
        await group(1)
    away[0] = False

    assert await group(2) == 4


async def test_somebody_who_gives_up_holds_nobody_up() -> None:
    trips = Trips()
    group = Group(trips, Turn())
    trips.gate.clear()
    gone, stays = asyncio.create_task(group(1)), asyncio.create_task(group(2))
    await asyncio.sleep(0)
    gone.cancel()
    trips.gate.set()

    assert await stays == 4
    assert gone.cancelled() or await asyncio.wait([gone])


# ── several groups of one process ────────────────────────────────────────────────────────────────────────


async def test_trips_of_one_process_leave_one_after_another_and_take_along_who_came_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn, "PATIENCE_SECONDS", 60.0)
    its_turn, loads, saves = Turn(), Trips(), Trips()
    load, save = Group(loads, its_turn), Group(saves, its_turn)
    loads.gate.clear()
    loading = asyncio.create_task(load(1))
    await asyncio.sleep(0)
    saving = [asyncio.create_task(save(2))]
    await asyncio.sleep(0)
    saving.append(asyncio.create_task(save(3)))
    await asyncio.sleep(0)
    assert (loads.made, saves.made) == ([[1]], [])
    loads.gate.set()

    assert (await loading, await asyncio.gather(*saving)) == (2, [4, 6])
    assert saves.made == [[2, 3]]


async def test_a_trip_that_hangs_holds_up_its_own_kind_only() -> None:
    its_turn, hanging, others = Turn(), Trips(), Trips()
    hanging.gate.clear()
    stuck = asyncio.create_task(Group(hanging, its_turn)(1))
    await asyncio.sleep(0)

    assert await Group(others, its_turn)(2) == 4
    assert not stuck.done()
    hanging.gate.set()
    assert await stuck == 2


async def test_a_trip_that_fails_gives_up_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "PATIENCE_SECONDS", 60.0)
    its_turn = Turn()
    with pytest.raises(Unreachable):
        await Group(Trips(lambda _: Unreachable("gone")), its_turn)(1)

    assert await asyncio.wait_for(Group(Trips(), its_turn)(2), 5.0) == 4
