"""The figures of a session's page: bars where calls were under way, waits cut out, money as parts of the budget."""

from datetime import timedelta
from typing import Any

import pytest

from ekiden_gateway.models.sessions import Cost
from ekiden_gateway.page.figures.axis import axis
from ekiden_gateway.page.figures.purse import purse
from tests.unit.domain.small_plan import AT, task


def call(place: str, *spans: tuple[float, float | None, str], index: int = 0, generation: int = 1) -> dict[str, Any]:
    submissions = [
        {
            "sentAt": AT + timedelta(seconds=begin),
            "endedAt": AT + timedelta(seconds=end) if end is not None else None,
            "outcome": outcome,
        }
        for begin, end, outcome in spans
    ]
    return {"_id": task(place, generation, index), "submissions": submissions}


def test_without_a_call_there_is_no_axis() -> None:
    assert axis([call("1T")], AT).rows == ()
    assert axis([call("1T", (0, 1, "not_sent"))], AT).rows == ()


def test_bars_stand_to_scale() -> None:
    found = axis([call("1T", (0, 10, "completed")), call("1I", (10, 40, "completed"))], AT)
    bars = [bar for row in found.rows for bar in row.bars]
    assert [(bar.x, bar.width) for bar in bars] == [(0.0, 25.0), (25.0, 75.0)]
    assert (found.seconds, found.cuts) == (40.0, [])


def test_calls_at_the_same_time_have_lanes_and_the_time_counts_once() -> None:
    found = axis([call("1E", (0, 10, "completed"), index=n) for n in range(3)], AT)
    assert (found.rows[0].lanes, found.rows[0].seconds, found.seconds) == (3, 10.0, 10.0)
    assert [bar.lane for bar in found.rows[0].bars] == [0, 1, 2]


def test_a_call_ordered_again_stays_on_its_lane() -> None:
    first = call("1E", (0, 10, "rejected"), index=1)
    again = call("1E", (10, 20, "completed"), index=1, generation=2)
    found = axis([first, again], AT)
    assert [(bar.lane, bar.tone) for bar in found.rows[0].bars] == [(0, "fail"), (0, "done")]


def test_a_long_wait_is_cut_out_and_says_how_long_it_was() -> None:
    found = axis([call("1T", (0, 10, "completed")), call("1E", (3610, 3620, "completed"))], AT)
    assert [cut.seconds for cut in found.cuts] == [3600.0]
    first, second = (row.bars[0] for row in found.rows)
    assert first.x + first.width < found.cuts[0].x < second.x
    assert second.x + second.width == pytest.approx(100, abs=0.01)
    assert found.seconds == 20.0


def test_ticks_stand_at_round_times_and_step_over_what_was_cut() -> None:
    whole = axis([call("1T", (0, 70, "completed"))], AT)
    assert [tick.seconds for tick in whole.ticks] == [20, 40, 60]
    assert [tick.x for tick in whole.ticks] == pytest.approx([28.571, 57.143, 85.714], abs=0.001)

    cut = axis([call("1T", (0, 10, "completed")), call("1E", (3610, 3620, "completed"))], AT)
    assert [tick.seconds for tick in cut.ticks] == [5, 10, 15]
    assert cut.ticks[1].x < cut.cuts[0].x < cut.ticks[2].x
    assert cut.ticks[2].x == pytest.approx(100 * 16 / 21, abs=0.001)


def test_what_is_under_way_reaches_to_now_and_an_unknown_end_is_marked() -> None:
    now = AT + timedelta(seconds=20)
    found = axis([call("1E", (0, 10, "unknown"), index=0), call("1E", (0, None, "sent"), index=1)], now)
    assert [(bar.tone, bar.seconds) for bar in found.rows[0].bars] == [("wait", 10.0), ("run", 20.0)]


def test_a_clock_that_is_ahead_makes_no_bar_of_negative_length() -> None:
    found = axis([call("1T", (5, None, "sent"))], AT)
    assert [bar.width for bar in found.rows[0].bars] == [0.0]


def test_steps_stand_in_the_order_of_the_course() -> None:
    places = ["2T", "1I", "1E", "1T"]
    found = axis([call(place, (n, n + 1, "completed")) for n, place in enumerate(places)], AT)
    assert [str(row.position) for row in found.rows] == ["1.THINK", "1.EXECUTE", "1.INTEGRATE", "2.THINK"]


@pytest.mark.parametrize(
    ("spent", "reserved", "budget", "shown"),
    [(0, 0, 1, (0, 0, 1)), (0.25, 0.5, 1, (25, 50, 0.25)), (2, 0, 1, (100, 0, 0)), (0, 0, 0, (0, 0, 0))],
    ids=["fresh", "half", "over", "none"],
)
def test_the_purse_never_overflows(spent: float, reserved: float, budget: float, shown: tuple[float, ...]) -> None:
    found = purse(Cost(spent_usd=spent, reserved_usd=reserved, budget_usd=budget, saved_usd=0))
    assert (found.spent, found.reserved, found.free_usd) == shown
