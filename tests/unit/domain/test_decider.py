"""What the decision does, sentence by sentence: the course of a session, and the whole table."""

from datetime import timedelta
from typing import get_args

import pytest

from ekiden.domain.decider import RULES, Situation, decide, situation
from ekiden.domain.ids import Micros, Position, Step
from ekiden.domain.messages import (
    Cancel,
    Continue,
    GateDue,
    Look,
    Message,
    Pause,
    Resend,
    RestartPhase,
    Restored,
    Resume,
    Retry,
    RetryDue,
    Start,
    Trust,
)
from ekiden.domain.progress import Verdict
from ekiden.domain.session import Session, Wishes
from tests.unit.domain.small_plan import (
    AT,
    EXECUTE,
    GPT,
    Story,
    done,
    gated,
    half_unknown,
    happy_end,
    new_session,
    one_of_three_failed,
    passing,
    permanent,
    plan,
    questions,
    running,
    task,
    told,
)

# ── from start to end ────────────────────────────────────────────────────────────────────────────────────


def test_a_start_orders_the_first_think() -> None:
    story = told()
    assert story.last
    assert [order.id for order in story.last.tasks] == [task("1T")]


def test_a_second_start_changes_nothing() -> None:
    story = told()
    assert story.say(Start(story.now)).verdict is Verdict.REPEAT


def test_a_step_follows_the_other_until_the_session_is_complete() -> None:
    assert situation(happy_end().session) is Situation.COMPLETED


def test_one_search_is_ordered_for_each_question() -> None:
    assert told().searching(3).session.waits_for == (task("1E", 1, 0), task("1E", 1, 1), task("1E", 1, 2))


def test_no_more_searches_are_ordered_than_the_workflow_allows() -> None:
    assert len(told().searching(9).session.waits_for) == 4


def test_a_fan_out_over_nothing_is_finished_at_once() -> None:
    assert told().searching(0).session.position == Position(1, Step.INTEGRATE)


def test_a_fan_out_over_nothing_has_an_empty_result() -> None:
    assert told().searching(0).session.steps["1E"].result == []


def test_an_order_carries_its_item() -> None:
    decision = told().searching(2).last
    assert decision
    assert [order.item for order in decision.tasks] == ["question 0", "question 1"]


def test_a_look_while_a_task_is_open_changes_nothing() -> None:
    story = told().searching(2)
    assert story.look({task("1E", 1, 0): running(), task("1E", 1, 1): running()}).verdict is Verdict.REPEAT


def test_a_repeated_completion_changes_nothing() -> None:
    story = told()
    answer = {task("1T"): done(questions(2))}
    story.look(answer)
    assert story.look(answer).verdict is Verdict.REPEAT


def test_the_answers_of_a_fan_out_stand_in_the_order_of_its_questions() -> None:
    story = told().searching(2)
    story.look({task("1E", 1, 1): done("second"), task("1E", 1, 0): done("first")})
    assert story.session.steps["1E"].result == ["first", "second"]


# ── gates ────────────────────────────────────────────────────────────────────────────────────────────────


def finished_phase_one(wishes: Wishes) -> Story:
    story = told(wishes=wishes).searching(1)
    story.everything(done())
    story.everything(done())
    return story


@pytest.mark.parametrize("wishes", [Wishes(auto_advance=False), Wishes(pause_after=frozenset({1}))])
def test_a_gate_between_phases_waits_for_approval(wishes: Wishes) -> None:
    assert situation(finished_phase_one(wishes).session) is Situation.APPROVAL


def test_without_a_wish_phases_follow_by_themselves() -> None:
    assert situation(finished_phase_one(Wishes()).session) is Situation.ACTIVE


def test_a_gate_before_another_phase_is_none_here() -> None:
    assert situation(finished_phase_one(Wishes(pause_after=frozenset({2}))).session) is Situation.ACTIVE


def test_nothing_is_ordered_behind_a_closed_gate() -> None:
    story = told(wishes=gated(EXECUTE)).searching(3)
    assert story.session.waits_for == ()


def test_a_passed_gate_orders_what_stood_behind_it() -> None:
    story = told(wishes=gated(EXECUTE)).searching(3)
    assert len(story.say(Continue(story.now)).tasks) == 3


def test_edited_questions_are_bought_in_place_of_the_planned_ones() -> None:
    story = told(wishes=gated(EXECUTE)).searching(3)
    decision = story.say(Continue(story.now, input=("mine",)))
    assert [order.item for order in decision.tasks] == ["mine"]


def test_a_step_without_a_list_cannot_be_edited_at_its_gate() -> None:
    story = finished_phase_one(Wishes(auto_advance=False))
    assert story.say(Continue(story.now, input=("mine",))).verdict is Verdict.ILLEGAL


def test_a_passed_gate_does_not_close_again_at_a_retry() -> None:
    story = told(wishes=gated(EXECUTE), min_success=1).searching(1)
    story.say(Continue(story.now))
    story.everything(permanent())
    story.say(Retry(story.now))
    assert situation(story.session) is Situation.ACTIVE


def test_a_restarted_phase_closes_its_gates_again() -> None:
    story = told(wishes=gated(EXECUTE)).searching(2)
    story.say(Continue(story.now))
    story.say(RestartPhase(story.now, phase=1))
    story.everything(done(questions(2)))
    assert situation(story.session) is Situation.APPROVAL


def test_the_gate_after_a_restarted_phase_closes_again() -> None:
    story = finished_phase_one(Wishes(auto_advance=False))
    story.say(Continue(story.now))
    story.say(RestartPhase(story.now, phase=1))
    for answer in (done(questions(1)), done(), done()):
        story.everything(answer)
    assert situation(story.session) is Situation.APPROVAL


def test_the_gate_that_led_to_a_phase_stays_open_when_that_phase_restarts() -> None:
    story = finished_phase_one(Wishes(auto_advance=False))
    story.say(Continue(story.now))
    story.say(RestartPhase(story.now, phase=2))
    assert situation(story.session) is Situation.ACTIVE


# ── partial results ──────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_search_does_not_sink_its_siblings() -> None:
    assert one_of_three_failed(permanent(), min_success=2).session.position == Position(1, Step.INTEGRATE)


def test_all_but_one_answer_are_enough_by_default() -> None:
    story = told().searching(3)
    story.look({task("1E", 1, 0): done(), task("1E", 1, 1): permanent(), task("1E", 1, 2): done()})
    assert story.session.position == Position(1, Step.INTEGRATE)


def test_the_one_search_of_a_fan_out_must_succeed() -> None:
    story = told().searching(1)
    story.everything(permanent())
    assert situation(story.session) is Situation.FAILED


def test_a_step_that_goes_on_says_which_questions_are_missing() -> None:
    assert one_of_three_failed(permanent(), min_success=2).session.steps["1E"].missing == (1,)


def test_the_answers_of_a_partial_step_leave_out_the_missing_ones() -> None:
    assert one_of_three_failed(permanent(), min_success=2).session.steps["1E"].result == ["a", "c"]


def test_a_workflow_may_go_on_without_any_answer() -> None:
    story = told(min_success=0).searching(2)
    story.everything(permanent())
    assert story.session.steps["1E"].result == []


# ── pause, cancel ────────────────────────────────────────────────────────────────────────────────────────


def test_a_pause_lets_the_running_tasks_end_without_going_on() -> None:
    story = told()
    story.say(Pause(story.now))
    story.everything(done(questions(1)))
    assert (situation(story.session), story.session.position) == (Situation.PAUSED, Position(1, Step.THINK))


@pytest.mark.parametrize("resume", [Resume, Continue])
def test_a_resumed_session_goes_on_with_what_ended_meanwhile(resume: type[Resume | Continue]) -> None:
    story = told()
    story.say(Pause(story.now))
    story.say(resume(story.now))
    story.everything(done(questions(1)))
    assert story.session.position == EXECUTE


def test_a_paused_step_cannot_be_edited() -> None:
    story = told().searching(1)
    story.say(Pause(story.now))
    assert story.say(Continue(story.now, input=("mine",))).verdict is Verdict.ILLEGAL


def test_a_cancelled_session_abandons_what_it_waited_for() -> None:
    story = told()
    assert story.say(Cancel(story.now)).abandon == (task("1T"),)


def test_a_look_after_a_cancel_settles_the_money() -> None:
    story = told()
    story.say(Cancel(story.now))
    story.look({task("1T"): done(questions(3), billed=8)})
    assert (story.session.money.spent, dict(story.session.money.reserved)) == (8, {})


def test_a_look_after_a_cancel_does_not_go_on() -> None:
    story = told()
    story.say(Cancel(story.now))
    assert story.look({task("1T"): done(questions(3))}).tasks == ()


def test_an_abandoned_task_that_ends_late_is_settled_too() -> None:
    story = told()
    story.say(RestartPhase(story.now, 1))
    story.look({task("1T"): done(questions(3), billed=8)})
    assert story.session.money.settled == {task("1T"): 8}


def test_a_late_answer_of_an_abandoned_task_does_not_count() -> None:
    story = told()
    story.say(RestartPhase(story.now, 1))
    story.look({task("1T"): done(questions(3))})
    assert story.session.position == Position(1, Step.THINK)


# ── the whole table ──────────────────────────────────────────────────────────────────────────────────────


def in_every_situation() -> dict[Situation, Story]:
    paused, cancelled, retry, failed = told(), told(), told(), told()
    paused.say(Pause(AT))
    cancelled.say(Cancel(AT))
    retry.everything(passing())
    failed.everything(permanent())
    return {
        Situation.PENDING: Story(new_session()),
        Situation.ACTIVE: told(),
        Situation.APPROVAL: told(wishes=gated(EXECUTE)).searching(1),
        Situation.BUDGET: told(budget=GPT + 10).searching(3),
        Situation.UNKNOWN: half_unknown(),
        Situation.PAUSED: paused,
        Situation.RETRY: retry,
        Situation.COMPLETED: happy_end(),
        Situation.FAILED: failed,
        Situation.CANCELLED: cancelled,
    }


MESSAGES: dict[type[Message], Message] = {
    Start: Start(AT),
    Continue: Continue(AT, budget=Micros(10_000_000)),
    Look: Look(AT, {}),
    RetryDue: RetryDue(AT),
    GateDue: GateDue(AT),
    Retry: Retry(AT),
    RestartPhase: RestartPhase(AT, 1),
    Resend: Resend(AT, task("1E")),
    Pause: Pause(AT),
    Resume: Resume(AT),
    Cancel: Cancel(AT),
    Restored: Restored(AT, AT),
    Trust: Trust(AT),
}
WALK = [(here, message) for here in Situation for message in get_args(Message)]


def test_the_walk_knows_every_situation() -> None:
    assert {here: situation(story.session) for here, story in in_every_situation().items()} == {s: s for s in Situation}


@pytest.mark.parametrize(("here", "kind"), WALK, ids=[f"{here.name}-{kind.__name__}" for here, kind in WALK])
def test_every_message_in_every_situation_does_what_the_table_says(here: Situation, kind: type[Message]) -> None:
    story = in_every_situation()[here]
    before: Session = story.session
    decision = decide(before, MESSAGES[kind], story.plan)
    rule = RULES.get((here, kind))
    if rule is None:
        assert (decision.verdict, decision.session) == (Verdict.ILLEGAL, before)
    else:
        assert decision.verdict is not Verdict.ILLEGAL
        assert situation(decision.session) in {here, *rule.to}


@pytest.mark.parametrize("here", list(Situation))
@pytest.mark.parametrize("event", [Look, RetryDue, GateDue])
def test_an_event_is_never_illegal(here: Situation, event: type[Message]) -> None:
    assert (here, event) in RULES


@pytest.mark.parametrize(("here", "kind"), [pair for pair in WALK if pair not in RULES])
def test_what_is_illegal_says_why(here: Situation, kind: type[Message]) -> None:
    story = in_every_situation()[here]
    assert here in decide(story.session, MESSAGES[kind], story.plan).why


def test_the_times_of_a_session_are_those_of_its_messages() -> None:
    later = AT + timedelta(hours=1)
    assert decide(new_session(), Start(later), plan()).session.started_at == later
