"""What the decision does when a step names others who may be asked: each in turn, for a stated reason, paid anew."""

from dataclasses import replace

import pytest

from ekiden.domain.decider import Situation, situation
from ekiden.domain.forecast import usd
from ekiden.domain.ids import Micros
from ekiden.domain.messages import Continue, Outcome, RestartPhase, Retry, RetryDue, TaskStatus
from ekiden.domain.plan import Plan, Source
from ekiden.domain.progress import AUTOMATIC_RETRIES
from ekiden.domain.provider import Provider
from ekiden.domain.remedies import needed_budget
from ekiden.domain.session import StepState
from ekiden.store.session_document import from_document, to_document
from tests.unit.domain.small_plan import (
    GPT,
    GPT_CAP,
    PLENTY,
    SEARCH_CAP,
    Story,
    done,
    new_session,
    passing,
    permanent,
    plan,
    task,
    too_long,
    unknown,
)

OTHER = Source(Provider.GPT, "other", paid_calls=3)
LAST = Source(Provider.GPT, "last", paid_calls=1)
SEARCH_AGAIN = Source(Provider.PERPLEXITY, "again", paid_calls=1)


def with_fallback(*, min_success: int | None = None) -> Plan:
    """Texts fall back to OTHER and then to LAST, searches to SEARCH_AGAIN."""
    steps = plan(min_success=min_success).steps
    return Plan(
        tuple(replace(step, fallback=(SEARCH_AGAIN,) if step.for_each else (OTHER, LAST)) for step in steps),
    )


def told(budget: int = PLENTY, min_success: int | None = None) -> Story:
    return Story(new_session(budget=budget), with_fallback(min_success=min_success)).begun()


def step(story: Story) -> StepState:
    return story.session.current


def asked(story: Story) -> str:
    """Who is asked for the current step's answers."""
    position = story.session.position
    assert position is not None
    return str(story.plan.by_position[position].source(step(story).fallback))


@pytest.mark.parametrize("failure", [passing(), permanent()], ids=["refused for now", "refused for good"])
def test_a_step_that_failed_is_asked_of_the_next(failure: Outcome) -> None:
    story = told()
    decision = story.everything(failure)
    assert situation(story.session) is Situation.ACTIVE
    assert [order.id for order in decision.tasks] == [task("1T", 2)]
    assert asked(story) == "gpt other"


def test_the_reason_is_kept_with_the_step_and_in_the_history() -> None:
    story = told()
    decision = story.everything(passing())
    assert step(story).fallback_reason == "RateLimited: slow down"
    assert decision.events[0].type == "StepFellBack"
    assert decision.events[0].detail == "gpt → gpt other: RateLimited"


def test_who_is_asked_is_stored_with_the_session() -> None:
    story = told()
    story.everything(passing())
    assert from_document(to_document(story.session)).current == step(story)


def test_each_of_the_list_is_asked_once_and_then_it_is_a_failure_as_ever() -> None:
    story = told()
    seen = [asked(story)]
    while situation(story.session) is Situation.ACTIVE:
        story.everything(permanent())
        seen.append(asked(story))
    assert seen == ["gpt", "gpt other", "gpt last", "gpt last"]
    assert situation(story.session) is Situation.FAILED


def test_a_prompt_that_is_too_long_is_shortened_before_somebody_else_is_asked() -> None:
    story = told()
    story.everything(too_long())
    assert (step(story).shorter, asked(story)) == (1, "gpt")
    story.everything(too_long())
    assert (step(story).shorter, asked(story)) == (1, "gpt other")


def test_an_unknown_outcome_is_asked_of_nobody_else() -> None:
    story = told()
    story.everything(unknown())
    assert situation(story.session) is Situation.UNKNOWN
    assert step(story).fallback == 0


def test_what_a_person_gave_up_without_knowing_is_asked_of_nobody_else() -> None:
    story = told()
    story.everything(unknown())
    story.everything(Outcome(TaskStatus.FAILED, error="OutcomeUnknown", message="a person gave it up"))
    assert situation(story.session) is Situation.FAILED
    assert step(story).fallback == 0


def test_what_may_have_been_paid_before_it_failed_is_asked_of_nobody_else() -> None:
    """One of its calls was sent and nobody knows what became of it; then its provider refused the others."""
    story = told()
    story.everything(Outcome(TaskStatus.FAILED, error="RateLimited", message="429", maybe_paid=True))
    assert situation(story.session) is Situation.FAILED
    assert step(story).fallback == 0


def test_only_the_failed_ones_of_a_fan_out_are_asked_of_the_next() -> None:
    story = told(min_success=3).searching(3)
    answers = {task("1E", 1, 0): done("a"), task("1E", 1, 1): permanent(), task("1E", 1, 2): done("c")}
    decision = story.look(answers)
    assert [order.id for order in decision.tasks] == [task("1E", 2, 1)]
    story.look(answers | {task("1E", 2, 1): done("b")})
    assert story.session.steps["1E"].result == ["a", "b", "c"]


def test_a_fan_out_that_has_enough_goes_on_without_asking_anybody_else() -> None:
    story = told(min_success=2).searching(3)
    story.look({task("1E", 1, 0): done("a"), task("1E", 1, 1): permanent(), task("1E", 1, 2): done("c")})
    assert story.session.steps["1E"].fallback == 0
    assert str(story.session.position) == "1.INTEGRATE"


def test_nobody_else_is_asked_when_too_few_could_be_saved() -> None:
    story = told(min_success=2).searching(2)
    gave_up = Outcome(TaskStatus.FAILED, error="OutcomeUnknown")
    story.look({task("1E", 1, 0): permanent(), task("1E", 1, 1): gave_up})
    assert situation(story.session) is Situation.FAILED


def test_the_money_for_another_is_reserved_by_what_its_policy_may_pay() -> None:
    story = told()
    story.everything(passing(billed=4))
    assert story.session.money.reserved == {task("1T", 2): GPT_CAP * OTHER.paid_calls}
    assert story.session.money.settled == {task("1T"): 4}


def test_without_the_money_for_another_the_session_waits_for_a_budget() -> None:
    story = told(budget=GPT)
    decision = story.everything(passing(billed=4))
    assert situation(story.session) is Situation.BUDGET
    assert decision.tasks == ()
    assert usd(needed_budget(story.session, story.plan)) == usd(Micros(4 + GPT_CAP * OTHER.paid_calls))


def test_a_higher_budget_goes_on_with_the_one_that_was_to_be_asked() -> None:
    story = told(budget=GPT)
    story.everything(passing(billed=4))
    decision = story.say(Continue(story.now, budget=Micros(34)))
    assert [order.id for order in decision.tasks] == [task("1T", 2)]
    assert asked(story) == "gpt other"


def test_when_all_were_asked_a_failure_that_may_pass_is_retried_from_the_first() -> None:
    story = told()
    for _ in range(3):
        story.everything(passing())
    assert situation(story.session) is Situation.RETRY
    decision = story.say(RetryDue(story.now))
    assert (len(decision.tasks), asked(story), step(story).fallback_reason) == (1, "gpt", "")


def test_the_retries_of_a_whole_list_come_to_an_end() -> None:
    story, orders = told(), 1
    while situation(story.session) is not Situation.FAILED:
        due = situation(story.session) is Situation.RETRY
        orders += len((story.say(RetryDue(story.now)) if due else story.everything(passing())).tasks)
    assert orders == 3 * (1 + AUTOMATIC_RETRIES)


def test_a_person_s_retry_begins_with_the_first() -> None:
    story = told()
    for _ in range(3):
        story.everything(permanent())
    story.say(Retry(story.now))
    assert asked(story) == "gpt"


def test_a_phase_that_starts_over_begins_with_the_first() -> None:
    story = told()
    story.everything(passing())
    story.say(RestartPhase(story.now, 1))
    assert asked(story) == "gpt"


def test_a_restored_session_s_searches_are_in_doubt_with_whomever_they_are() -> None:
    story = told(min_success=2).searching(2)
    story.session = replace(story.session, restored_to=story.now)
    decision = story.everything(permanent())
    assert [order.doubted for order in decision.tasks] == [True, True]
    assert decision.tasks[0].cap == SEARCH_CAP
