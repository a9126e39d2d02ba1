"""What becomes of a session at a gate: answered by name, answered by nobody, and come to a second time."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ekiden.domain.decider import Situation, decide, situation
from ekiden.domain.gate import gate_id
from ekiden.domain.ids import Micros, Position, Step
from ekiden.domain.messages import Cancel, Continue, GateDue, Message, RestartPhase, TaskStatus
from ekiden.domain.progress import Verdict
from ekiden.domain.session import GateDefault, GateTimeout, Wishes
from tests.unit.domain.small_plan import AT, EXECUTE, GPT, SEARCH_CAP, Story, done, gated, task, told

AFTER_ONE = "after:1"
SECOND = Position(2, Step.THINK)
HOUR = timedelta(hours=1)
THOUGHT = 5


def at_the_searches(seconds: int | None = None, then: GateDefault = GateDefault.STOP, budget: int = 1_000_000) -> Story:
    return told(budget=budget, wishes=gated(EXECUTE, seconds=seconds, then=then)).searching(2)


def behind_phase_one(wishes: Wishes | None = None) -> Story:
    story = told(wishes=wishes or Wishes(auto_advance=False)).searching(1)
    story.everything(done())
    story.everything(done())
    return story


def due(story: Story) -> datetime:
    assert story.session.gate
    assert story.session.gate.due
    return story.session.gate.due


def here(story: Story) -> str:
    return gate_id(story.session, story.plan)


# ── by name ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gate_is_named_for_its_place_and_for_which_one_it_is_that_the_session_came_to() -> None:
    assert (here(at_the_searches()), here(behind_phase_one())) == ("before:1.EXECUTE@1", "after:1@1")


def test_a_session_under_way_stands_at_no_gate() -> None:
    assert here(told()) == ""


def test_two_gates_at_one_place_are_one_and_each_of_their_names_will_do() -> None:
    story = behind_phase_one(Wishes(auto_advance=False, pause_before=frozenset({SECOND})))
    named = [decide(story.session, Continue(AT, gate=name), story.plan) for name in (AFTER_ONE, "before:2.THINK")]
    assert [decision.verdict for decision in named] == [Verdict.MOVED] * 2


@pytest.mark.parametrize("gate", [AFTER_ONE, "after:1@1"])
@pytest.mark.parametrize("word", [Continue(AT), RestartPhase(AT, 1), Cancel(AT)], ids=["pass", "rerun", "stop"])
def test_a_word_about_the_gate_it_stands_at_counts(gate: str, word: Continue | RestartPhase | Cancel) -> None:
    story = behind_phase_one()
    assert story.say(replace(word, gate=gate)).verdict is Verdict.MOVED


@pytest.mark.parametrize("gate", ["after:2", "before:1.EXECUTE", "after:1@2", "nonsense"])
@pytest.mark.parametrize(
    "word",
    [Continue(AT), Continue(AT, budget=Micros(9_000_000)), RestartPhase(AT, 1), Cancel(AT)],
    ids=["pass", "raise the budget", "rerun", "stop"],
)
def test_a_word_about_another_gate_is_illegal(gate: str, word: Continue | RestartPhase | Cancel) -> None:
    assert behind_phase_one().say(replace(word, gate=gate)).verdict is Verdict.ILLEGAL


def test_what_is_said_of_another_gate_says_which_one_it_stands_at() -> None:
    assert "it stands at after:1@1" in behind_phase_one().say(Continue(AT, gate="after:2")).why


def test_passing_a_gate_twice_is_a_repeat() -> None:
    story = behind_phase_one()
    story.say(Continue(story.now, gate="after:1@1"))
    assert story.say(Continue(story.now, gate="after:1@1")).verdict is Verdict.REPEAT


def test_passing_a_gate_that_somebody_passed_into_an_empty_purse_is_a_repeat() -> None:
    story = at_the_searches(budget=GPT + SEARCH_CAP)
    story.say(Continue(story.now, gate="before:1.EXECUTE@1"))
    assert situation(story.session) is Situation.BUDGET
    assert story.say(Continue(story.now, gate="before:1.EXECUTE@1")).verdict is Verdict.REPEAT


def test_an_edit_of_a_gate_that_somebody_passed_is_illegal() -> None:
    story = at_the_searches()
    story.say(Continue(story.now))
    assert story.say(Continue(story.now, ("mine",), gate="before:1.EXECUTE")).verdict is Verdict.ILLEGAL


def test_a_word_about_the_gate_before_does_not_pass_the_next_one() -> None:
    wishes = Wishes(pause_before=frozenset({EXECUTE, Position(1, Step.INTEGRATE)}))
    story = told(wishes=wishes).searching(1)
    story.say(Continue(story.now, gate="before:1.EXECUTE@1"))
    story.everything(done())
    assert here(story) == "before:1.INTEGRATE@2"
    assert story.say(Continue(story.now, gate="before:1.EXECUTE@1")).verdict is Verdict.ILLEGAL


@pytest.mark.parametrize(
    "word", [Continue(AT, gate="after:1@1"), RestartPhase(AT, 1, gate="after:1@1"), Cancel(AT, gate="after:1@1")]
)
def test_after_a_rerun_the_same_gate_is_another_one(word: Message) -> None:
    story = behind_phase_one()
    story.say(RestartPhase(story.now, 1, gate="after:1@1"))
    story.searching(1)
    story.everything(done())
    story.everything(done())
    assert here(story) == "after:1@2"
    assert story.say(word).verdict is Verdict.ILLEGAL


def test_history_names_the_gate_that_was_reached_and_passed() -> None:
    story = at_the_searches()
    assert story.last
    assert story.last.events[-1].detail == "before:1.EXECUTE@1"
    assert story.say(Continue(story.now)).events[0].detail == "before:1.EXECUTE@1"


# ── when nobody answers ──────────────────────────────────────────────────────────────────────────────────


def test_without_a_wish_a_gate_waits_for_ever() -> None:
    assert at_the_searches().say(GateDue(AT + 1000 * HOUR)).verdict is Verdict.REPEAT


def test_a_gate_is_due_so_long_after_the_session_came_to_it() -> None:
    story = at_the_searches(3600)
    assert story.session.gate
    assert due(story) == story.session.gate.since + HOUR


def test_before_its_time_nothing_happens() -> None:
    story = at_the_searches(3600)
    assert story.say(GateDue(due(story) - timedelta(milliseconds=1))).verdict is Verdict.REPEAT


def test_an_unanswered_gate_that_stops_cancels_the_session() -> None:
    story = at_the_searches(3600)
    decision = story.say(GateDue(due(story)))
    assert (situation(story.session), decision.tasks) == (Situation.CANCELLED, ())
    assert [event.type for event in decision.events] == ["GateTimedOut", "SessionCancelled"]


def test_an_unanswered_gate_that_approves_is_passed_as_it_was_planned() -> None:
    story = at_the_searches(3600, GateDefault.APPROVE)
    decision = story.say(GateDue(due(story)))
    assert [order.id for order in decision.tasks] == [task("1E", 1, 0), task("1E", 1, 1)]
    assert [event.type for event in decision.events] == ["GateTimedOut", "GatePassed", "StepStarted"]


def test_an_unanswered_gate_never_buys_what_the_budget_has_no_room_for() -> None:
    story = at_the_searches(3600, GateDefault.APPROVE, budget=THOUGHT + 2 * SEARCH_CAP - 1)
    decision = story.say(GateDue(due(story)))
    assert (situation(story.session), decision.tasks) == (Situation.BUDGET, ())


def test_time_is_up_once() -> None:
    story = at_the_searches(3600, GateDefault.APPROVE)
    at = due(story)
    story.say(GateDue(at))
    assert story.say(GateDue(at + HOUR)).verdict is Verdict.REPEAT


def test_whoever_answers_in_time_is_not_overruled() -> None:
    story = at_the_searches(3600)
    at = due(story)
    story.say(Continue(story.now))
    assert story.say(GateDue(at + HOUR)).verdict is Verdict.REPEAT


def test_a_late_bill_leaves_the_gate_its_name_and_its_time() -> None:
    story = at_the_searches(3600)
    before = story.session.gate
    story.look({task("1T"): replace(done(billed=9), status=TaskStatus.COMPLETED)})
    assert (story.session.gate, here(story)) == (before, "before:1.EXECUTE@1")


def test_a_phase_that_is_run_again_has_the_whole_time_again() -> None:
    story = at_the_searches(3600)
    first = due(story)
    story.say(RestartPhase(first - timedelta(seconds=1), 1))
    story.now = first + HOUR
    story.searching(1)
    assert due(story) == first + 2 * HOUR
    assert story.say(GateDue(first + HOUR)).verdict is Verdict.REPEAT


def test_each_gate_of_a_session_has_its_own_time() -> None:
    wishes = replace(Wishes(auto_advance=False), gate_timeout=GateTimeout(HOUR, GateDefault.APPROVE))
    story = behind_phase_one(replace(wishes, pause_before=frozenset({Position(2, Step.INTEGRATE)})))
    story.now = due(story)
    story.say(GateDue(story.now))
    story.everything(done())
    assert here(story) == "before:2.INTEGRATE@2"
    assert situation(story.session) is Situation.APPROVAL
