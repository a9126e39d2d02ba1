"""What the decision does when work is ordered again: retries, shorter prompts, unknown outcomes, restarts."""

from dataclasses import replace

import pytest

from ekiden.domain.decider import Situation, situation
from ekiden.domain.messages import (
    Continue,
    Resend,
    RestartPhase,
    Retry,
    RetryDue,
    Start,
)
from ekiden.domain.progress import AUTOMATIC_RETRIES, Verdict
from tests.unit.domain.small_plan import (
    GPT,
    SEARCH_CAP,
    done,
    half_unknown,
    happy_end,
    one_of_three_failed,
    passing,
    permanent,
    questions,
    resend_asked,
    running,
    task,
    told,
    too_long,
    unknown,
)

# ── retries ──────────────────────────────────────────────────────────────────────────────────────────────


def test_automatic_retries_pause_longer_each_time_and_then_fail() -> None:
    story = told()
    pauses: list[float] = []
    for _ in range(AUTOMATIC_RETRIES):
        asked = story.now
        story.everything(passing())
        assert story.session.next_retry_at
        pauses.append((story.session.next_retry_at - asked).total_seconds())
        story.say(RetryDue(story.now))
    story.everything(passing())
    assert (pauses, situation(story.session)) == ([5, 15, 45, 135, 405], Situation.FAILED)


def test_the_count_of_retries_falls_to_zero_when_the_step_succeeds() -> None:
    story = told()
    story.everything(passing())
    story.say(RetryDue(story.now))
    story.everything(done(questions(1)))
    assert story.session.retry_count == 0


def test_a_person_s_retry_begins_to_count_anew() -> None:
    story = told()
    story.everything(passing())
    story.say(Retry(story.now))
    assert story.session.retry_count == 0


def test_a_retry_that_came_due_keeps_counting() -> None:
    story = told()
    story.everything(passing())
    story.say(RetryDue(story.now))
    assert story.session.retry_count == 1


def test_a_retry_that_is_due_no_more_changes_nothing() -> None:
    story = told()
    assert story.say(RetryDue(story.now)).verdict is Verdict.REPEAT


def test_a_permanent_error_fails_at_once() -> None:
    story = told()
    story.everything(permanent())
    assert situation(story.session) is Situation.FAILED


def test_a_failed_session_says_why() -> None:
    story = told()
    story.everything(permanent())
    assert story.session.failure
    assert (story.session.failure.error, story.session.failure.task_id) == ("RequestRejected", task("1T"))


def test_no_retry_is_tried_when_too_few_could_succeed() -> None:
    story = told(min_success=2).searching(2)
    story.look({task("1E", 1, 0): permanent(), task("1E", 1, 1): passing()})
    assert situation(story.session) is Situation.FAILED


def test_a_retry_orders_only_the_failed_tasks() -> None:
    story = one_of_three_failed(passing())
    decision = story.say(RetryDue(story.now))
    assert [order.id for order in decision.tasks] == [task("1E", 2, 1)]


def test_an_automatic_retry_leaves_alone_what_a_person_gave_up() -> None:
    story = told(min_success=2).searching(3)
    story.look({task("1E", 1, 0): done(), task("1E", 1, 1): passing(), task("1E", 1, 2): permanent()})
    decision = story.say(RetryDue(story.now))
    assert [order.id for order in decision.tasks] == [task("1E", 2, 1)]
    story.look({task("1E", 1, 0): done(), task("1E", 2, 1): done(), task("1E", 1, 2): permanent()})
    assert story.session.steps["1E"].missing == (2,)


def test_a_retry_waits_for_the_answers_of_the_siblings_too() -> None:
    story = one_of_three_failed(passing())
    story.say(RetryDue(story.now))
    assert story.session.waits_for == (task("1E", 1, 0), task("1E", 2, 1), task("1E", 1, 2))


def test_a_retry_asks_the_same_question() -> None:
    story = one_of_three_failed(passing())
    assert [order.item for order in story.say(RetryDue(story.now)).tasks] == ["question 1"]


def test_a_retry_cannot_be_edited() -> None:
    story = one_of_three_failed(passing())
    assert story.say(Continue(story.now, input=("mine",))).verdict is Verdict.ILLEGAL


def test_start_goes_on_from_where_a_failed_session_stands() -> None:
    story = one_of_three_failed(permanent())
    assert [order.id for order in story.say(Start(story.now)).tasks] == [task("1E", 2, 1)]


# ── too long ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prompt_that_is_too_long_is_ordered_again_at_once() -> None:
    story = told()
    assert [order.id for order in story.everything(too_long()).tasks] == [task("1T", 2)]


def test_a_prompt_that_is_too_long_is_made_shorter() -> None:
    story = told()
    story.everything(too_long())
    assert story.session.steps["1T"].shorter == 1


def test_a_prompt_is_made_shorter_only_once() -> None:
    story = told()
    story.everything(too_long())
    story.everything(too_long())
    assert situation(story.session) is Situation.FAILED


# ── unknown outcomes ─────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_outcome_lets_its_siblings_finish_first() -> None:
    story = told().searching(2)
    story.look({task("1E", 1, 0): unknown(), task("1E", 1, 1): running()})
    assert situation(story.session) is Situation.ACTIVE


def test_then_the_session_waits_for_a_person() -> None:
    assert situation(half_unknown().session) is Situation.UNKNOWN


def test_an_unknown_outcome_keeps_its_money_reserved() -> None:
    assert half_unknown().session.money.reserved == {task("1E", 1, 0): SEARCH_CAP}


def test_a_second_look_at_an_unknown_outcome_changes_nothing() -> None:
    story = half_unknown()
    assert story.look({task("1E", 1, 0): unknown(), task("1E", 1, 1): done("b")}).verdict is Verdict.REPEAT


def test_a_resend_orders_only_that_task_under_the_next_generation() -> None:
    story = half_unknown()
    assert [order.id for order in story.say(Resend(story.now, task("1E"))).tasks] == [task("1E", 2, 0)]


def test_a_resend_abandons_the_old_task() -> None:
    story = half_unknown()
    assert story.say(Resend(story.now, task("1E"))).abandon == (task("1E"),)


def test_a_resend_that_the_budget_stops_has_abandoned_the_old_task_all_the_same() -> None:
    story = told(budget=GPT + 2 * SEARCH_CAP).searching(2)
    story.look({task("1E", 1, 0): unknown(), task("1E", 1, 1): done("b", billed=SEARCH_CAP)})
    decision = story.say(Resend(story.now, task("1E")))
    assert (situation(story.session), decision.abandon) == (Situation.BUDGET, (task("1E"),))


def test_a_resend_that_only_the_ledger_knows_of_is_ordered_by_the_next_look() -> None:
    story = half_unknown()
    decision = story.look({task("1E", 1, 0): resend_asked(), task("1E", 1, 1): done("b")})
    assert [order.id for order in decision.tasks] == [task("1E", 2, 0)]
    assert decision.abandon == (task("1E", 1, 0),)


def test_a_resend_is_ordered_although_another_outcome_is_still_unknown() -> None:
    story = told().searching(2)
    story.everything(unknown())
    decision = story.look({task("1E", 1, 0): resend_asked(), task("1E", 1, 1): unknown()})
    assert [order.id for order in decision.tasks] == [task("1E", 2, 0)]


def test_what_a_resent_task_may_have_cost_stays_on_the_bill() -> None:
    story = half_unknown()
    story.look({task("1E", 1, 0): resend_asked(billed=60), task("1E", 1, 1): done("b")})
    assert story.session.money.settled[task("1E", 1, 0)] == 60


def test_a_step_under_way_that_waits_for_nothing_is_entered_anew() -> None:
    story = told()
    story.session = replace(story.session, steps={"1T": replace(story.session.current, tasks=())})
    assert [order.id for order in story.look({}).tasks] == [task("1T", 2)]


def test_a_task_that_nobody_waits_for_cannot_be_resent() -> None:
    story = half_unknown()
    assert story.say(Resend(story.now, task("1T"))).verdict is Verdict.ILLEGAL


def test_a_given_up_task_counts_as_failed() -> None:
    story = half_unknown()
    story.look({task("1E", 1, 0): permanent(), task("1E", 1, 1): done("b")})
    assert story.session.steps["1E"].missing == (0,)


def test_a_run_that_was_attached_moves_the_session_back_to_work() -> None:
    story = half_unknown()
    story.look({task("1E", 1, 0): running(), task("1E", 1, 1): done("b")})
    assert situation(story.session) is Situation.ACTIVE


def test_a_second_unknown_waits_for_its_own_verdict_after_the_first_was_resent() -> None:
    story = told().searching(2)
    story.everything(unknown())
    story.say(Resend(story.now, task("1E", 1, 0)))
    story.look({task("1E", 2, 0): done("a"), task("1E", 1, 1): unknown()})
    assert situation(story.session) is Situation.UNKNOWN


# ── restart ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restarted_phase_orders_under_the_next_generation() -> None:
    story = happy_end()
    assert [order.id for order in story.say(RestartPhase(story.now, 1)).tasks] == [task("1T", 2)]


def test_later_results_are_forgotten_when_a_phase_restarts() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1))
    assert not story.session.results


def test_earlier_results_are_kept_when_a_later_phase_restarts() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 2))
    assert set(story.session.results) == {"1T", "1E", "1I"}


def test_a_later_step_too_takes_its_next_generation_after_a_restart() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1))
    story.everything(done(questions(1)))
    assert story.session.waits_for == (task("1E", 2),)


def test_a_restart_abandons_what_was_waited_for() -> None:
    story = told().searching(2)
    decision = story.say(RestartPhase(story.now, 1))
    assert decision.abandon == (task("1E", 1, 0), task("1E", 1, 1))


def test_a_restart_with_edited_questions_does_not_plan_again() -> None:
    story = happy_end()
    decision = story.say(RestartPhase(story.now, 1, input=("mine",)))
    assert [(order.id, order.item) for order in decision.tasks] == [(task("1E", 2), "mine")]


def test_a_restart_with_edited_questions_keeps_the_plan_they_came_from() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1, input=("mine",)))
    assert set(story.session.results) == {"1T"}


def test_edited_questions_are_history_when_their_phase_is_planned_anew() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1, input=("mine",)))
    story.say(RestartPhase(story.now, 1))
    decision = story.everything(done(questions(1)))
    assert [order.item for order in decision.tasks] == ["question 0"]


def test_a_fresh_restart_buys_its_searches_anew() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1, fresh=True))
    assert story.session.steps["1E"].fresh


def test_a_fresh_restart_counts_also_for_steps_that_were_never_reached() -> None:
    story = told()
    story.everything(permanent())
    story.say(RestartPhase(story.now, 1, fresh=True))
    story.everything(done(questions(1)))
    assert story.session.steps["1E"].fresh


def test_a_restart_that_is_not_fresh_takes_the_wish_back() -> None:
    story = happy_end()
    story.say(RestartPhase(story.now, 1, fresh=True))
    story.say(RestartPhase(story.now, 1))
    assert not story.session.steps["1E"].fresh


@pytest.mark.parametrize("phase", [0, 2, 9])
def test_a_phase_that_was_not_reached_cannot_restart(phase: int) -> None:
    story = told()
    assert story.say(RestartPhase(story.now, phase)).verdict is Verdict.ILLEGAL


def test_a_phase_without_a_fan_out_takes_no_items() -> None:
    story = happy_end()
    assert story.say(RestartPhase(story.now, 2, input=("mine",))).verdict is Verdict.ILLEGAL


def test_a_restart_clears_the_failure() -> None:
    story = told()
    story.everything(permanent())
    story.say(RestartPhase(story.now, 1))
    assert story.session.failure is None
