"""What becomes of each tick: overlap, catch-up, budget and queue as one pure function."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiden.domain import scheduling as rules
from ekiden.domain.cron import Cron
from ekiden.domain.ids import NOTHING, Micros, ScheduleId, SessionId
from ekiden.domain.schedule import Outcome, Overlap, Reason, Run, Schedule, Standing
from ekiden.domain.scheduling import MOST_COUNTED, decide
from ekiden.domain.session import Money, Session, Status

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRICE = Micros(1_000_000)
OTHER = SessionId("ses_" + "1" * 32)
RUNS = Standing((OTHER,))
IDLE = Standing()


def schedule(overlap: Overlap = Overlap.SKIP, cron: str = "0 * * * *", **fields: Any) -> Schedule:
    """One of every hour, whose next tick is noon."""
    session = Session(SessionId("ses_template"), "me", "small@0", {"theme": "tea"}, "en", NOON, Money(PRICE))
    made = Schedule(ScheduleId("sch_1"), "me", "tea", Cron(cron, "UTC"), session, {}, NOON, overlap, next_at=NOON)
    return replace(made, **({"catch_up": 6 * HOUR} | fields))


def outcomes(decided: Schedule) -> list[str]:
    return [
        f"{run.outcome}{f' {run.reason}' if run.reason else ''} {run.at:%H:%M} x{run.ticks}" for run in decided.decided
    ]


# ── one tick ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_its_time_nothing_is_decided() -> None:
    one = schedule()
    assert decide(one, NOON - timedelta(milliseconds=1), IDLE) is one


def test_at_its_time_a_session_begins_and_the_next_tick_is_awaited() -> None:
    decided = decide(schedule(), NOON, IDLE)
    assert outcomes(decided) == ["fired 12:00 x1"]
    assert decided.next_at == NOON + HOUR


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, ["skipped overlap 12:00 x1"]),
        (Overlap.QUEUE, ["queued 12:00 x1"]),
        (Overlap.CANCEL, ["fired 12:00 x1"]),
    ],
)
def test_while_another_runs_the_policy_says(overlap: Overlap, expected: list[str]) -> None:
    assert outcomes(decide(schedule(overlap), NOON, RUNS)) == expected


def test_the_one_that_is_cancelled_is_named_in_the_decision() -> None:
    assert decide(schedule(Overlap.CANCEL), NOON, RUNS).decided[0].cancels == (OTHER,)


def test_one_waits_and_no_more() -> None:
    waiting = decide(schedule(Overlap.QUEUE), NOON, RUNS)
    later = decide(rules.carried_out(waiting), NOON + HOUR, RUNS)
    assert outcomes(later) == ["skipped overlap 13:00 x1"]
    assert later.queued is not None
    assert later.queued.at == NOON


def test_what_waited_begins_when_nothing_runs_any_more() -> None:
    waiting = rules.carried_out(decide(schedule(Overlap.QUEUE), NOON, RUNS))
    begun = decide(waiting, NOON + 10 * MINUTE, IDLE)
    assert outcomes(begun) == ["fired 12:00 x1"]
    assert begun.queued is None
    assert begun.next_at == NOON + HOUR


def test_the_session_of_a_tick_has_one_name_whoever_decides() -> None:
    one, other = decide(schedule(), NOON, IDLE), decide(schedule(), NOON + MINUTE, IDLE)
    assert one.session_id(one.decided[0]) == other.session_id(other.decided[0])


# ── what was not looked at in time ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, ["missed catch_up 12:00 x3", "fired 15:00 x1", "skipped overlap 16:00 x6"]),
        (Overlap.QUEUE, ["missed catch_up 12:00 x3", "fired 15:00 x1", "queued 16:00 x1", "skipped overlap 17:00 x5"]),
        (Overlap.CANCEL, ["missed catch_up 12:00 x3", "skipped overlap 15:00 x6", "fired 21:00 x1"]),
    ],
)
def test_after_an_absence_the_ticks_of_the_window_have_their_turn_and_older_ones_are_missed(
    overlap: Overlap, expected: list[str]
) -> None:
    assert outcomes(decide(schedule(overlap), NOON + 9 * HOUR, IDLE)) == expected


def test_a_tick_exactly_as_old_as_the_window_has_its_turn() -> None:
    assert outcomes(decide(schedule(), NOON + 6 * HOUR, IDLE))[0] == "fired 12:00 x1"


def test_an_absence_of_a_year_is_one_line_and_is_not_counted_to_its_end() -> None:
    decided = decide(schedule(cron="* * * * *"), NOON + timedelta(days=365), IDLE)
    assert decided.decided[0].outcome is Outcome.MISSED
    assert decided.decided[0].ticks == MOST_COUNTED
    assert decided.decided[1].at == NOON + timedelta(days=365) - 6 * HOUR
    assert len(decided.decided) == 3


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_none_begins_that_could_pass_the_month_s_budget() -> None:
    nearly = Standing(committed=Micros(PRICE + 1))
    assert outcomes(decide(schedule(budget=Micros(2 * PRICE)), NOON, nearly)) == ["skipped budget 12:00 x1"]
    assert outcomes(decide(schedule(budget=Micros(2 * PRICE + 1)), NOON, nearly)) == ["fired 12:00 x1"]


def test_for_want_of_money_nothing_that_runs_is_cancelled() -> None:
    decided = decide(schedule(Overlap.CANCEL, budget=PRICE), NOON, replace(RUNS, committed=PRICE))
    assert outcomes(decided) == ["skipped budget 12:00 x1"]
    assert decided.decided[0].cancels == ()


# ── a person's word ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("paused", [False, True])
def test_a_person_begins_one_at_any_time_also_while_it_is_paused(paused: bool) -> None:
    one = rules.pause(schedule(), NOON - HOUR) if paused else schedule()
    fired, run = rules.fire(one, NOON - MINUTE, "an order", IDLE)
    assert (run.outcome, run.at, run.order) == (Outcome.FIRED, NOON - MINUTE, "an order")
    assert fired.next_at == one.next_at


@pytest.mark.parametrize(
    ("one", "standing", "reason"),
    [
        (schedule(), RUNS, Reason.OVERLAP),
        (schedule(Overlap.QUEUE, queued=Run(NOON, Outcome.QUEUED)), RUNS, Reason.OVERLAP),
        (schedule(budget=PRICE), Standing(committed=PRICE), Reason.BUDGET),
    ],
    ids=["one runs", "one runs and one waits", "no money is left"],
)
def test_a_person_s_order_that_begins_nothing_changes_nothing(
    one: Schedule, standing: Standing, reason: Reason
) -> None:
    after, run = rules.fire(one, NOON, "an order", standing)
    assert after is one
    assert (run.outcome, run.reason) == (Outcome.SKIPPED, reason)


@pytest.mark.parametrize(
    ("waiting", "standing", "begins"),
    [
        (Run(NOON, Outcome.QUEUED, order="an order"), IDLE, True),
        (Run(NOON, Outcome.QUEUED, order="an order"), RUNS, False),
        (Run(NOON, Outcome.QUEUED), IDLE, False),
        (None, IDLE, False),
    ],
    ids=["an order", "an order, one runs", "a tick", "nothing"],
)
def test_without_the_clock_only_a_person_s_order_begins(
    waiting: Run | None, standing: Standing, *, begins: bool
) -> None:
    one = schedule(Overlap.QUEUE, queued=waiting)
    after = rules.release(one, NOON + MINUTE, standing)
    assert after.next_at == one.next_at
    assert outcomes(after) == (["fired 12:00 x1"] if begins else [])
    assert begins or after is one


def test_the_same_order_has_one_session_at_any_time() -> None:
    (one, first), (other, second) = (rules.fire(schedule(), at, "an order", IDLE) for at in (NOON, NOON + MINUTE))
    assert one.session_id(first) == other.session_id(second)


def test_a_pause_stops_the_clock_and_leaves_out_what_waited() -> None:
    waiting = rules.carried_out(decide(schedule(Overlap.QUEUE), NOON, RUNS))
    paused = rules.pause(waiting, NOON + MINUTE, "holidays")
    assert outcomes(paused) == ["skipped paused 12:00 x1"]
    assert decide(rules.carried_out(paused), NOON + 9 * HOUR, IDLE) == rules.carried_out(paused)


def test_a_pause_loses_nothing_that_was_decided_and_not_carried_out() -> None:
    decided = decide(schedule(), NOON, IDLE)
    assert rules.pause(decided, NOON).decided == decided.decided


def test_a_second_pause_keeps_the_time_and_the_reason_of_the_first() -> None:
    paused = rules.pause(schedule(), NOON, "holidays")
    assert rules.pause(paused, NOON + HOUR) == paused


def test_it_goes_on_with_the_tick_that_follows() -> None:
    resumed = rules.resume(rules.pause(schedule(), NOON), NOON + 9 * HOUR + MINUTE)
    assert (resumed.next_at, resumed.pause_reason) == (NOON + 10 * HOUR, "")
    assert decide(resumed, NOON + 9 * HOUR + MINUTE, IDLE) is resumed
    assert rules.resume(resumed, NOON) is resumed


def test_out_of_a_backup_nothing_is_begun_again_that_may_have_begun_since() -> None:
    decided = replace(decide(schedule(Overlap.QUEUE), NOON, IDLE), queued=Run(NOON, Outcome.QUEUED))
    restored = rules.restored(decided, NOON + HOUR, "restored")
    assert (restored.paused_at, restored.pause_reason, restored.next_at) == (NOON + HOUR, "restored", None)
    assert (restored.decided, restored.queued) == ((), None)
    assert rules.restored(restored, NOON + 2 * HOUR, "restored") == restored


def test_another_expression_counts_from_now_on() -> None:
    half_past = Cron("30 * * * *", "UTC")
    assert rules.retimed(schedule(), half_past, NOON + 2 * HOUR).next_at == NOON + 2.5 * HOUR
    assert rules.retimed(rules.pause(schedule(), NOON), half_past, NOON).next_at is None
    assert rules.retimed(schedule(), schedule().cron, NOON + 2 * HOUR).next_at == NOON


def test_only_the_queue_s_policy_has_a_queue() -> None:
    waiting = rules.carried_out(decide(schedule(Overlap.QUEUE), NOON, RUNS))
    assert outcomes(rules.with_overlap(waiting, Overlap.SKIP, NOON)) == ["skipped overlap 12:00 x1"]
    assert rules.with_overlap(waiting, Overlap.QUEUE, NOON).queued == waiting.queued


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────────────────

schedules = st.builds(
    lambda overlap, cron, window, budget, queued: schedule(
        overlap,
        cron,
        catch_up=window,
        budget=budget,
        queued=Run(NOON - HOUR, Outcome.QUEUED) if queued and overlap is Overlap.QUEUE else None,
    ),
    st.sampled_from(Overlap),
    st.sampled_from(["* * * * *", "*/20 * * * *", "0 * * * *", "0 12 * * *", "0 12 1 * *"]),
    st.timedeltas(MINUTE, 8 * HOUR),
    st.none() | st.integers(PRICE, 4 * PRICE).map(Micros),
    st.booleans(),
)
standings = st.builds(Standing, st.sampled_from([(), (OTHER,)]), st.integers(0, 5 * PRICE).map(Micros))
absences = st.timedeltas(timedelta(0), 10 * HOUR)


@given(schedules, absences, standings)
def test_every_tick_is_in_one_line_of_the_record(one: Schedule, away: timedelta, standing: Standing) -> None:
    now = NOON + away
    decided = decide(one, now, standing)
    assert one.next_at is not None
    ticks = [one.next_at, *takewhile(lambda at: at <= now, one.cron.since(one.next_at))]
    waited = [run for run in decided.decided if one.queued and run.at == one.queued.at]
    told = [run for run in decided.decided if run not in waited]
    assert sum(run.ticks for run in told) == len(ticks)
    assert [run.at for run in told] == sorted({run.at for run in told})
    assert {run.at for run in told} <= set(ticks)
    assert decided.next_at == one.cron.after(ticks[-1])


@given(schedules, absences, standings)
def test_at_most_one_begins_never_beside_another_nor_beyond_the_money(
    one: Schedule, away: timedelta, standing: Standing
) -> None:
    now = NOON + away
    decided = decide(one, now, standing)
    fired = [run for run in decided.decided if run.outcome is Outcome.FIRED]
    assert len(fired) <= 1
    if standing.running:
        assert all(run.cancels == standing.running for run in fired)
    if one.budget is not None:
        assert standing.committed + len(fired) * PRICE <= max(one.budget, standing.committed)


@given(schedules, absences, standings)
def test_nothing_begins_that_is_older_than_the_window_but_what_waited(
    one: Schedule, away: timedelta, standing: Standing
) -> None:
    now = NOON + away
    for run in decide(one, now, standing).decided:
        if run.outcome in {Outcome.FIRED, Outcome.QUEUED} and not (one.queued and run.at == one.queued.at):
            assert run.at >= now - one.catch_up
        if run.outcome is Outcome.MISSED:
            assert (run.last_at or run.at) < now - one.catch_up


@given(schedules, absences, standings)
def test_a_decision_made_again_decides_nothing(one: Schedule, away: timedelta, standing: Standing) -> None:
    decided = decide(one, NOON + away, standing)
    begun = tuple(decided.session_id(run) for run in decided.decided if run.outcome is Outcome.FIRED)
    after = rules.carried_out(decided)
    assert decide(after, NOON + away, replace(standing, running=begun or standing.running)) is after


@given(schedules, st.lists(st.timedeltas(timedelta(0), 2 * HOUR), max_size=8), st.booleans())
def test_however_often_one_looks_each_tick_is_decided_once(one: Schedule, pauses: list[timedelta], busy: bool) -> None:
    now, counted = NOON, 0
    for pause in pauses:
        now += pause
        decided = decide(one, now, RUNS if busy else IDLE)
        if decided is not one:
            counted += sum(run.ticks for run in decided.decided if one.queued is None or run.at != one.queued.at)
        one = rules.carried_out(decided)
    start = schedule(one.overlap, one.cron.expression).cron
    due = [NOON, *takewhile(lambda at: at <= now, start.since(NOON))] if pauses else []
    assert counted == len(due)


def test_a_session_begins_as_the_template_with_a_name_and_an_account_of_its_own() -> None:
    one = schedule()
    begun = one.begun(Run(NOON, Outcome.FIRED), NOON + MINUTE)
    assert (begun.schedule, begun.scheduled_at, begun.created_at) == (one.id, NOON, NOON + MINUTE)
    assert (begun.status, begun.money.spent, begun.money.budget) == (Status.PENDING, NOTHING, PRICE)
    assert begun.id == one.session_id(Run(NOON, Outcome.FIRED))
