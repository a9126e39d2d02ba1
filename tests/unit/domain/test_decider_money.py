"""What the decision does with money: reserve, settle, wait for a higher budget."""

from ekiden.domain.decider import Situation, situation
from ekiden.domain.ids import Micros, TaskId
from ekiden.domain.messages import (
    Continue,
    Outcome,
    RetryDue,
    TaskStatus,
)
from ekiden.domain.progress import Verdict
from tests.unit.domain.small_plan import (
    GPT,
    SEARCH_CAP,
    Story,
    done,
    passing,
    questions,
    running,
    task,
    told,
)


def test_an_order_that_would_pass_the_budget_does_not_happen() -> None:
    story = told(budget=GPT + 100).searching(3)
    assert (situation(story.session), story.session.waits_for) == (Situation.BUDGET, ())


def test_an_order_that_just_fits_the_budget_happens() -> None:
    story = told(budget=5 + 3 * SEARCH_CAP).searching(3)
    assert (situation(story.session), story.session.money.free) == (Situation.ACTIVE, 0)


def test_one_micro_dollar_less_and_it_does_not() -> None:
    assert situation(told(budget=5 + 3 * SEARCH_CAP - 1).searching(3).session) is Situation.BUDGET


def test_a_higher_budget_goes_on_from_there() -> None:
    story = told(budget=GPT + 100).searching(3)
    assert len(story.say(Continue(story.now, budget=Micros(1_000))).tasks) == 3


def test_a_budget_that_is_still_too_small_is_refused() -> None:
    story = told(budget=GPT + 100).searching(3)
    assert story.say(Continue(story.now)).verdict is Verdict.ILLEGAL


def test_a_budget_is_never_lowered() -> None:
    story = told()
    assert story.say(Continue(story.now, budget=Micros(1))).verdict is Verdict.REPEAT


def test_fewer_questions_may_fit_into_the_budget_that_stopped_them() -> None:
    story = told(budget=GPT + 100).searching(3)
    decision = story.say(Continue(story.now, input=("mine",)))
    assert [order.item for order in decision.tasks] == ["mine"]


def retry_without_money() -> Story:
    story = told(budget=5 + 3 * SEARCH_CAP, min_success=3).searching(3)
    paid = done("paid", billed=SEARCH_CAP)
    story.look({task("1E", 1, 0): paid, task("1E", 1, 1): passing(billed=1), task("1E", 1, 2): paid})
    story.say(RetryDue(story.now))
    return story


def test_a_retry_waits_for_the_budget_too() -> None:
    assert situation(retry_without_money().session) is Situation.BUDGET


def test_a_wait_for_the_budget_keeps_the_answers_of_the_siblings() -> None:
    story = retry_without_money()
    story.say(Continue(story.now, budget=Micros(10_000)))
    assert story.session.waits_for == (task("1E", 1, 0), task("1E", 2, 1), task("1E", 1, 2))


def test_a_retry_that_waits_for_the_budget_cannot_be_edited() -> None:
    story = retry_without_money()
    assert story.say(Continue(story.now, input=("mine",), budget=Micros(10_000))).verdict is Verdict.ILLEGAL


def test_a_reservation_is_the_cap_times_the_paid_calls() -> None:
    assert told().session.money.reserved == {task("1T"): GPT}


def test_a_task_that_ended_is_settled_with_its_bill() -> None:
    story = told()
    story.everything(done(questions(1), billed=7))
    assert story.session.money.settled == {task("1T"): 7}


def test_a_repeated_look_settles_nothing_twice() -> None:
    story = told()
    answer = {task("1T"): done(questions(1), billed=7)}
    story.look(answer)
    story.look(answer)
    assert story.session.money.spent == 7


def test_a_bill_that_grew_after_the_end_is_booked_at_its_new_sum() -> None:
    story = told()
    story.look({task("1T"): done(questions(1), billed=7)})
    story.look({task("1T"): done(questions(1), billed=12)})
    assert story.session.money.spent == 12


def test_what_the_cache_saved_is_counted_once() -> None:
    story = told().searching(1)
    hit = {task("1E"): Outcome(TaskStatus.COMPLETED, result="known", saved=Micros(40))}
    story.look(hit)
    story.look(hit)
    assert story.session.money.saved == 40


def test_a_task_that_was_never_ordered_here_is_not_booked() -> None:
    story = told()
    story.look({TaskId("ses_" + "f" * 32 + ".1T.g1.0"): done(billed=99)})
    assert story.session.money.spent == 0


def test_a_finished_task_of_a_running_step_is_settled_before_its_siblings_end() -> None:
    story = told().searching(2)
    story.look({task("1E", 1, 0): done(billed=9), task("1E", 1, 1): running()})
    assert story.session.money.settled[task("1E", 1, 0)] == 9
