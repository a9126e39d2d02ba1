"""A session that came out of a backup buys no search without a person's word that is younger than the backup."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ekiden.domain.decider import Situation, situation
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import Continue, Outcome, Resend, RestartPhase, Restored, RetryDue, TaskStatus, Trust
from ekiden.domain.progress import Verdict, orders
from tests.unit.domain.small_plan import (
    AT,
    EXECUTE,
    Story,
    done,
    gated,
    half_unknown,
    happy_end,
    new_session,
    one_of_three_failed,
    passing,
    plan,
    questions,
    resend_asked,
    task,
    told,
    unknown,
)

BACKUP = AT + timedelta(minutes=1)
LATER = BACKUP + timedelta(minutes=1)


def restored(story: Story) -> Story:
    story.say(Restored(story.now, BACKUP))
    return story


def doubted(story: Story) -> dict[TaskId, bool]:
    assert story.last
    return {order.id: order.doubted for order in story.last.tasks}


def asked_at(when: datetime | None) -> Outcome:
    return replace(resend_asked(), finished_at=when)


def test_a_restored_session_goes_on_as_it_was() -> None:
    story = told()
    before = situation(story.session), story.session.waits_for, story.session.money
    restored(story)
    assert (situation(story.session), story.session.waits_for, story.session.money) == before


def test_searches_that_it_orders_are_in_doubt() -> None:
    story = restored(told()).searching(2)
    assert doubted(story) == {task("1E", 1, 0): True, task("1E", 1, 1): True}


def test_gpt_calls_that_it_orders_are_not() -> None:
    story = restored(told().searching(2))
    story.everything(done())
    assert doubted(story) == {task("1I"): False}


def test_what_it_waited_for_is_in_doubt_when_it_is_ordered_again_from_the_session_alone() -> None:
    story = restored(told().searching(2))
    assert [order.doubted for order in orders(story.session, story.plan)] == [True, True]


def test_a_call_it_waited_for_is_just_ordered_again() -> None:
    assert [order.doubted for order in orders(restored(told()).session, plan())] == [False]


def test_what_is_unknown_waits_for_a_person() -> None:
    story = restored(told()).searching(2)
    story.everything(unknown())
    assert situation(story.session) is Situation.UNKNOWN


def test_one_that_a_person_sends_again_is_bought() -> None:
    story = restored(half_unknown())
    story.say(Resend(story.now, task("1E", 1, 0)))
    assert doubted(story) == {task("1E", 2, 0): False}


def test_one_sent_again_beside_others_that_are_in_doubt_leaves_them_so() -> None:
    story = restored(told().searching(2))
    story.everything(unknown())
    story.say(Resend(story.now, task("1E", 1, 0)))
    by_id = {order.id: order.doubted for order in orders(story.session, story.plan)}
    assert by_id == {task("1E", 2, 0): False, task("1E", 1, 1): True}


def test_a_word_found_in_the_ledger_counts_when_it_is_younger_than_the_backup() -> None:
    story = restored(half_unknown())
    story.look({task("1E", 1, 0): asked_at(LATER), task("1E", 1, 1): done("b")})
    assert doubted(story) == {task("1E", 2, 0): False}


@pytest.mark.parametrize("when", [BACKUP, BACKUP - timedelta(seconds=1), None])
def test_a_word_that_may_have_been_heard_before_the_restore_is_asked_for_again(when: datetime | None) -> None:
    story = restored(half_unknown())
    story.look({task("1E", 1, 0): asked_at(when), task("1E", 1, 1): done("b")})
    assert doubted(story) == {task("1E", 2, 0): True}


def test_a_retry_by_itself_is_in_doubt() -> None:
    story = one_of_three_failed(passing())
    restored(story).say(RetryDue(story.now))
    assert doubted(story) == {task("1E", 2, 1): True}


def test_a_retry_of_what_a_person_had_sent_again_is_in_doubt_too() -> None:
    story = restored(half_unknown())
    story.say(Resend(story.now, task("1E", 1, 0)))
    story.look({task("1E", 2, 0): passing(), task("1E", 1, 1): passing()})
    story.say(RetryDue(story.now))
    assert set(doubted(story).values()) == {True}


def test_a_gate_passed_once_more_is_no_word_on_what_it_may_have_bought() -> None:
    story = told(wishes=gated(EXECUTE))
    story.everything(done(questions(2)))
    restored(story).say(Continue(story.now))
    assert doubted(story) == {task("1E", 1, 0): True, task("1E", 1, 1): True}


def test_a_higher_budget_is_none_either() -> None:
    story = told(budget=100).searching(2)
    assert situation(story.session) is Situation.BUDGET
    restored(story).say(Continue(story.now, budget=Micros(1_000)))
    assert set(doubted(story).values()) == {True}


def test_a_restart_of_the_phase_keeps_the_doubt() -> None:
    story = restored(told().searching(2))
    story.say(RestartPhase(story.now, 1))
    story.searching(2)
    assert set(doubted(story).values()) == {True}


def test_a_pending_session_is_in_doubt_too() -> None:
    story = restored(Story(new_session()))
    story.begun().searching(1)
    assert doubted(story) == {task("1E"): True}


def test_said_twice_it_changes_nothing() -> None:
    story = restored(told().searching(2))
    assert story.say(Restored(story.now, BACKUP)).verdict is Verdict.REPEAT


def test_a_second_restore_forgets_what_was_said_before_it() -> None:
    story = restored(half_unknown())
    story.say(Restored(story.now, LATER))
    story.look({task("1E", 1, 0): asked_at(LATER), task("1E", 1, 1): done("b")})
    assert doubted(story) == {task("1E", 2, 0): True}


def test_a_completed_session_is_left_alone() -> None:
    assert happy_end().say(Restored(AT, BACKUP)).verdict is Verdict.ILLEGAL


def test_a_trusted_session_buys_what_it_orders() -> None:
    story = restored(told())
    story.say(Trust(story.now))
    story.searching(2)
    assert set(doubted(story).values()) == {False}


def test_trust_reaches_what_it_waits_for() -> None:
    story = restored(told().searching(2))
    story.say(Trust(story.now))
    assert [order.doubted for order in orders(story.session, story.plan)] == [False, False]


def test_trust_in_a_session_that_never_was_in_doubt_changes_nothing() -> None:
    story = told()
    assert story.say(Trust(story.now)).verdict is Verdict.REPEAT


def test_a_collected_run_brings_a_restored_session_on() -> None:
    story = restored(told().searching(1))
    story.everything(unknown())
    story.look({task("1E"): Outcome(TaskStatus.SUBMITTED)})
    story.everything(done("found"))
    assert story.session.results["1E"] == ["found"]
