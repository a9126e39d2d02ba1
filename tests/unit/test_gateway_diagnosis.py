"""The doctor has a sentence for every situation: walked through with the real decision."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ekiden.domain.decider import Situation, decide, situation
from ekiden.domain.diagnosis import Diagnosis, diagnose
from ekiden.domain.forecast import forecast
from ekiden.domain.ids import Micros, Position, SessionId, Step, TaskId, TaskName
from ekiden.domain.messages import (
    Cancel,
    Continue,
    Look,
    Message,
    Outcome,
    Pause,
    Resend,
    RestartPhase,
    Resume,
    Retry,
    Start,
    TaskStatus,
)
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Verdict
from ekiden.domain.remedies import QueueFact, TaskFact, Verb, needed_budget
from ekiden.domain.session import GateDefault, GateTimeout, Money, Session, Wishes
from ekiden.domain.told import Told, told
from ekiden.retry import UnknownOutcome
from ekiden_gateway.page.languages import words
from tests.fakes.workflow import ANSWERS, small_package

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ID = SessionId("ses_" + "a" * 32)
POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
PLAN: Plan = small_package().compile(POLICIES).plan
EXECUTE = Position(1, Step.EXECUTE)
MEDIANS = {Provider.GPT: 2.0, Provider.PERPLEXITY: 70.0}
THINK = Position(1, Step.THINK)


def a_session(
    *, budget: int = 1_000_000, pause_before: Iterable[Position] = (), gate_timeout: GateTimeout | None = None
) -> Session:
    wishes = Wishes(pause_before=frozenset(pause_before), gate_timeout=gate_timeout)
    return Session(ID, "local", "small@1", {"theme": "t"}, "en", NOW, Money(Micros(budget)), wishes)


def said(session: Session, message: Message) -> Session:
    decision = decide(session, message, PLAN)
    assert decision.verdict is Verdict.MOVED, decision.why
    return decision.session


def answered(session: Session, **how: Outcome) -> Session:
    """Answer all that a session waits for; `how` says otherwise for some of its items, as `t0=…`."""
    results = {
        "1T": ANSWERS["questions"],
        "1E": {"text": "found", "sources": []},
        "1I": ANSWERS["rows"],
        "2T": ANSWERS["note"],
        "2I": ANSWERS["rows"],
    }
    outcomes = {
        task: how.get(
            f"t{TaskName.parse(task).index}",
            Outcome(TaskStatus.COMPLETED, results[TaskName.parse(task).position.key], billed=Micros(100)),
        )
        for task in session.waits_for
    }
    return said(session, Look(NOW, outcomes))


def fact(task: TaskId, status: TaskStatus = TaskStatus.QUEUED, **more: object) -> TaskFact:
    provider = PLAN.by_position[TaskName.parse(task).position].provider
    made = TaskFact(task, status, provider, NOW, PLAN.by_position[TaskName.parse(task).position].cap)
    return replace(made, **more)


REJECTED = Outcome(TaskStatus.FAILED, error="RequestRejected", message="no")
PASSING = Outcome(TaskStatus.FAILED, error="RateLimited", message="slow down", may_pass=True)
LOST = Outcome(TaskStatus.OUTCOME_UNKNOWN, error="OutcomeUnknown", message="cut")


def started(**wishes: object) -> Session:
    return said(a_session(**wishes), Start(NOW))  # type: ignore[arg-type]


def searching() -> Session:
    return answered(started())


def completed() -> Session:
    session = started()
    while situation(session) is not Situation.COMPLETED:
        session = answered(session)
    return session


WALK: dict[Situation, Session] = {
    Situation.PENDING: a_session(),
    Situation.ACTIVE: started(),
    Situation.APPROVAL: answered(started(pause_before=[EXECUTE])),
    Situation.BUDGET: started(budget=50_000),
    Situation.UNKNOWN: answered(searching(), t0=LOST),
    Situation.PAUSED: said(started(), Pause(NOW)),
    Situation.RETRY: answered(started(), t0=PASSING),
    Situation.COMPLETED: completed(),
    Situation.FAILED: answered(started(), t0=REJECTED),
    Situation.CANCELLED: said(started(), Cancel(NOW)),
}


def examined(session: Session, *tasks: TaskFact, **more: object) -> Diagnosis:
    return diagnose(session, tasks, PLAN, NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", Situation)
def test_every_situation_has_a_finding(where: Situation) -> None:
    assert situation(WALK[where]) is where
    found = examined(WALK[where])
    assert found.summary.endswith(".")
    assert "\n" not in found.summary
    assert "None" not in found.summary
    assert found.actions


FIRST = {
    Situation.PENDING: Verb.START,
    Situation.ACTIVE: Verb.WAIT,
    Situation.APPROVAL: Verb.CONTINUE,
    Situation.BUDGET: Verb.CONTINUE,
    Situation.UNKNOWN: Verb.RESOLVE,
    Situation.PAUSED: Verb.RESUME,
    Situation.RETRY: Verb.WAIT,
    Situation.COMPLETED: Verb.DRAFTS,
    Situation.FAILED: Verb.RETRY,
    Situation.CANCELLED: Verb.RESTART_SESSION,
}


@pytest.mark.parametrize("where", Situation)
def test_what_helps_most_comes_first(where: Situation) -> None:
    assert examined(WALK[where]).next_verb is FIRST[where]


def message_of(verb: Verb, session: Session) -> Message | None:
    phase = session.position.phase if session.position else 0
    return {
        Verb.START: Start(NOW),
        Verb.CONTINUE: Continue(NOW, budget=needed_budget(session, PLAN)),
        Verb.RETRY: Retry(NOW),
        Verb.RESTART_PHASE: RestartPhase(NOW, phase),
        Verb.RESOLVE: Resend(NOW, session.waits_for[0]) if session.waits_for else Start(NOW),
        Verb.PAUSE: Pause(NOW),
        Verb.RESUME: Resume(NOW),
        Verb.CANCEL: Cancel(NOW),
    }.get(verb)


@pytest.mark.parametrize("where", Situation)
def test_what_is_offered_is_what_the_decision_accepts(where: Situation) -> None:
    session = WALK[where]
    for action in examined(session).actions:
        message = message_of(action.verb, session)
        if message is not None:
            assert decide(session, message, PLAN).verdict is Verdict.MOVED, action


UNHEALTHY = {Situation.BUDGET, Situation.UNKNOWN, Situation.FAILED}


@pytest.mark.parametrize("where", Situation)
def test_healthy_is_what_goes_on_or_waits_as_asked(where: Situation) -> None:
    assert examined(WALK[where]).is_healthy == (where not in UNHEALTHY)


def test_an_active_session_says_what_its_tasks_do_and_since_when() -> None:
    session = searching()
    first, second, _ = session.waits_for
    found = examined(session, fact(first, TaskStatus.SUBMITTED), fact(second))
    assert "1.EXECUTE" in found.summary
    assert (
        "1 queued since 2026-11-22T09:30:00Z, 1 submitted since 2026-11-22T09:30:00Z, 1 being created" in found.summary
    )


def test_a_task_kept_back_by_its_provider_says_so() -> None:
    session = searching()
    tasks = [fact(task) for task in session.waits_for]
    found = examined(session, *tasks, held={Provider.PERPLEXITY: "its breaker is open: QuotaExhausted"})
    assert not found.is_healthy
    assert found.issues == ("Calls to perplexity are held back: its breaker is open: QuotaExhausted.",)


def test_a_task_that_waits_for_its_time_says_when_and_why() -> None:
    session = started()
    later = NOW + timedelta(seconds=40)
    task = fact(session.waits_for[0], not_before=later, error="RateLimited", message="slow down")
    assert "2026-11-22T09:30:40Z after RateLimited: slow down" in examined(session, task).issues[0]


def test_a_task_queued_long_asks_for_workers() -> None:
    session = started()
    task = fact(session.waits_for[0], since=NOW - timedelta(minutes=5))
    assert "gpt-workers running?" in examined(session, task).issues[0]


def test_a_session_whose_answers_are_all_there_has_stalled() -> None:
    session = replace(started(), moved_at=NOW - timedelta(minutes=3))
    task = fact(session.waits_for[0], TaskStatus.COMPLETED)
    assert examined(session, task).stalled
    assert "reconciler" in examined(session, task).issues[0]
    fresh = replace(session, moved_at=NOW)
    assert examined(fresh, task).is_healthy
    assert not examined(fresh, task).stalled


def test_a_session_that_waits_for_nothing_has_stalled() -> None:
    session = replace(started(), moved_at=NOW - timedelta(minutes=3))
    session = replace(session, steps={"1T": replace(session.current, tasks=())})
    found = examined(session)
    assert found.stalled
    assert "Nothing is under way that could answer" in found.issues[0]


@pytest.mark.parametrize("where", [where for where in Situation if where is not Situation.ACTIVE])
def test_only_a_session_under_way_can_stall(where: Situation) -> None:
    assert not examined(replace(WALK[where], moved_at=NOW - timedelta(days=9))).stalled


# ── evidence: everything a session under way can wait for has its sentence ───────────────────────────────


BUSY = {Provider.GPT: QueueFact(3, 2), Provider.PERPLEXITY: QueueFact(3, 2)}
NOBODY = {Provider.GPT: QueueFact(3, 0), Provider.PERPLEXITY: QueueFact(3, 0)}
AWAY: dict[Provider, QueueFact | None] = {Provider.GPT: None, Provider.PERPLEXITY: None}
HELD = {Provider.PERPLEXITY: "its breaker is open since 2026-11-22T09:00:00Z: QuotaExhausted: nothing is left"}
COOLING = {Provider.PERPLEXITY: "it cools down until 2026-11-22T09:31:00Z"}
SOON = NOW + timedelta(seconds=6)
PAST = NOW - timedelta(seconds=3)
LONG_AGO = NOW - timedelta(minutes=5)

Sentence = tuple[dict[str, Any], dict[str, Any], bool, str]
SENTENCES: dict[str, Sentence] = {
    "queued": ({}, {"queues": BUSY}, True, "Queued since 2026-11-22T09:30:00Z for attempt 1."),
    "no worker": (
        {},
        {"queues": NOBODY},
        False,
        "No perplexity-worker is running: 3 messages wait and nobody consumes.",
    ),
    "one message, no worker": (
        {},
        {"queues": {Provider.PERPLEXITY: QueueFact(1, 0)}},
        False,
        "No perplexity-worker is running: 1 message waits and nobody consumes.",
    ),
    "no worker to collect": (
        {"status": TaskStatus.SUBMITTED, "run_id": "run_1"},
        {"queues": NOBODY},
        False,
        "No perplexity-worker is running",
    ),
    "no orchestrator": (
        {},
        {"queues": BUSY, "orchestrators": QueueFact(3, 0)},
        False,
        "No orchestrator is running: 3 events wait and nobody consumes.",
    ),
    "an orchestrator": ({}, {"queues": BUSY, "orchestrators": QueueFact(3, 1)}, True, "for attempt 1."),
    "broker away": ({}, {"queues": AWAY}, False, "The broker does not answer: what is queued is stored"),
    "breaker open": ({}, {"held": HELD}, False, "Calls to perplexity are held back: its breaker is open"),
    "cooling down": ({}, {"held": COOLING}, False, "Calls to perplexity are held back: it cools down until"),
    "behind others": (
        {"since": LONG_AGO},
        {"queues": BUSY},
        False,
        "is queued since 2026-11-22T09:25:00Z: 3 messages wait for 2 perplexity-workers.",
    ),
    "an identical search": (
        {"not_before": SOON, "twin": TaskId("ses_x.1E.g1.0")},
        {"queues": BUSY},
        True,
        "ses_x.1E.g1.0 is buying the same search, and its answer will do for both.",
    ),
    "a retry": (
        {"not_before": SOON, "error": "RateLimited", "message": "slow down", "attempt": 2},
        {"queues": BUSY},
        False,
        "is tried again at 2026-11-22T09:30:06Z after RateLimited: slow down.",
    ),
    "its turn": ({"not_before": SOON}, {"queues": BUSY}, True, "for attempt 1, not before 2026-11-22T09:30:06Z."),
    "sent": (
        {"status": TaskStatus.PROCESSING, "worker": "perplexity-a-1", "lease_until": SOON, "attempt": 1},
        {},
        True,
        "Attempt 1, sent by perplexity-a-1 since 2026-11-22T09:30:00Z; "
        "its lease holds until 2026-11-22T09:30:06Z, for 6 s more.",
    ),
    "collected": (
        {"status": TaskStatus.SUBMITTED, "worker": "perplexity-a-1", "lease_until": SOON, "run_id": "run_1"},
        {},
        True,
        "Run run_1, attempt 0, collected by perplexity-a-1",
    ),
    "lease ran out": (
        {"status": TaskStatus.PROCESSING, "worker": "perplexity-a-1", "lease_until": PAST},
        {},
        False,
        "ran out at 2026-11-22T09:29:57Z: the reconciler takes it from its worker.",
    ),
    "lease taken over, run kept": (
        {"status": TaskStatus.SUBMITTED, "run_id": "run_1"},
        {},
        True,
        "Run run_1, accepted by the provider since 2026-11-22T09:30:00Z, waits for a worker to collect it.",
    ),
    "lease taken over, sent again": (
        {"error": "OutcomeUnknown", "message": "the worker that sent it stopped", "attempt": 1},
        {},
        True,
        "for attempt 2 after OutcomeUnknown: the worker that sent it stopped.",
    ),
    "unknown beside others": (
        {"status": TaskStatus.OUTCOME_UNKNOWN, "attempt": 1, "message": "cut"},
        {},
        True,
        "Attempt 1 may have been bought at 2026-11-22T09:30:00Z, 0.05 USD at risk: cut.",
    ),
    "failed beside others": (
        {"status": TaskStatus.FAILED, "attempt": 1, "error": "RunFailed", "message": "no"},
        {},
        True,
        "Failed at 2026-11-22T09:30:00Z after 1 attempt: RunFailed: no.",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_everything_a_task_can_wait_for_has_its_sentence(case: str) -> None:
    of_task, of_world, healthy, sentence = SENTENCES[case]
    session = searching()
    first, *others = session.waits_for
    siblings = [fact(task, TaskStatus.SUBMITTED, worker="w", lease_until=SOON) for task in others]
    found = examined(session, fact(first, **of_task), *siblings, **of_world)
    says = [*found.issues, *(item.says for item in found.evidence)]
    assert any(sentence in said for said in says), says
    assert found.is_healthy is healthy
    assert not any("None" in said or "\n" in said or not said.endswith(".") for said in says), says


@pytest.mark.parametrize("consumers", [1, 2])
def test_workers_are_counted_in_one_sentence_whichever_provider_they_are_of(consumers: int) -> None:
    """A sentence for each would leave one that a setting adds without its Japanese, and without a page."""
    session = searching()
    queues = {Provider.PERPLEXITY: QueueFact(3, consumers)}
    behind = examined(session, fact(session.waits_for[0], since=LONG_AGO), queues=queues).issues[0]
    assert isinstance(behind, Told)
    workers = behind.values["workers"]
    assert isinstance(workers, Told)
    other = told(workers.pattern, **{**workers.values, "provider": "archive"})
    assert f"<bdi>archive</bdi>のワーカー<bdi>{consumers}</bdi>台" in words("ja").said(other)


@pytest.mark.parametrize("status", TaskStatus)
def test_every_status_of_a_task_but_its_success_is_evidence(status: TaskStatus) -> None:
    session = searching()
    found = examined(session, fact(session.waits_for[0], status))
    named = [item for item in found.evidence if item.subject == session.waits_for[0]]
    assert len(named) == (0 if status is TaskStatus.COMPLETED else 1)


def test_the_money_at_risk_is_that_of_the_unknown_outcomes() -> None:
    session = WALK[Situation.UNKNOWN]
    lost = fact(session.waits_for[0], TaskStatus.OUTCOME_UNKNOWN)
    assert examined(session, lost).at_risk == 50_000
    assert examined(searching()).at_risk == 0


def test_what_the_cache_answers_costs_and_takes_nothing() -> None:
    decision = decide(WALK[Situation.APPROVAL], Continue(NOW), PLAN)
    hits = {order.id: Micros(700) for order in decision.tasks[:2]}
    found = forecast(decision, PLAN, MEDIANS, hits)
    assert (found.cached, found.saved, found.now.calls) == (2, 1400, {Provider.PERPLEXITY: 1})
    assert (found.now.at_most, found.now.seconds) == (50_000, 70.0)
    assert found.to_end.calls == {Provider.PERPLEXITY: 1, Provider.GPT: 3}
    everything = forecast(decision, PLAN, MEDIANS, {order.id: Micros(700) for order in decision.tasks})
    assert (everything.now.calls, everything.now.seconds, everything.to_end.seconds) == ({}, 0.0, 6.0)


def test_a_retry_forecasts_only_the_calls_that_are_made_again() -> None:
    session = answered(searching(), t0=PASSING, t1=PASSING)
    assert situation(session) is Situation.RETRY
    found = forecast(decide(session, Retry(NOW), PLAN), PLAN, MEDIANS)
    assert found.now.calls == {Provider.PERPLEXITY: 2}
    assert found.to_end.calls == {Provider.PERPLEXITY: 2, Provider.GPT: 3}


def test_a_gate_before_a_fan_out_shows_questions_and_price() -> None:
    found = examined(WALK[Situation.APPROVAL], medians=MEDIANS)
    assert "“What about 0?”; “What about 1?”; “What about 2?”" in found.summary
    assert "3 × 0.05 USD = 0.15 USD" in found.summary
    assert "about 70 s" in found.summary
    costs = found.actions[0].forecast
    assert costs is not None
    assert len(costs.tasks) == 3
    assert (costs.now.seconds, costs.to_end.seconds) == (70.0, 76.0)


@pytest.mark.parametrize(("then", "word"), [("approve", "it is passed"), ("stop", "it is stopped, which cancels it,")])
def test_a_gate_that_is_answered_by_itself_says_when_and_how(then: str, word: str) -> None:
    session = started(pause_before=[THINK], gate_timeout=GateTimeout(timedelta(hours=1), GateDefault(then)))
    found = examined(session)
    assert f"Unanswered, {word} at 2026" in found.summary
    assert found.is_healthy


def test_a_gate_that_nobody_answered_when_its_time_was_up_is_an_issue() -> None:
    session = started(pause_before=[THINK], gate_timeout=GateTimeout(timedelta(hours=1), GateDefault.STOP))
    assert not diagnose(session, (), PLAN, NOW + timedelta(hours=2)).is_healthy
    assert "is an orchestrator running?" in diagnose(session, (), PLAN, NOW + timedelta(hours=2)).issues[0]


def test_a_small_budget_says_what_is_needed_and_what_is_free() -> None:
    found = examined(WALK[Situation.BUDGET])
    assert "0.06 USD" in found.summary
    assert "0.05 USD of 0.05 USD are free" in found.summary
    assert "budgetUsd 0.06" in found.recommendations[0]


def test_an_unknown_outcome_names_task_risk_and_choices() -> None:
    session = WALK[Situation.UNKNOWN]
    lost = fact(session.waits_for[0], TaskStatus.OUTCOME_UNKNOWN, message="cut")
    found = examined(session, lost)
    assert lost.id in found.summary
    assert "0.05 USD" in found.summary
    assert all(word in found.recommendations[0] for word in ("resend", "give_up", "attach"))


def test_a_retry_says_when() -> None:
    found = examined(WALK[Situation.RETRY])
    assert "2026-11-22T09:30:05Z" in found.summary
    assert "RateLimited" in found.summary


def test_a_retry_that_nobody_makes_is_an_issue() -> None:
    session = replace(WALK[Situation.RETRY], next_retry_at=NOW - timedelta(minutes=1))
    found = examined(session)
    assert not found.is_healthy
    assert found.issues[0] == ("It was due at 2026-11-22T09:29:00Z and nobody has made it: is an orchestrator running?")
    assert found.next_verb is Verb.RETRY
    assert examined(replace(session, next_retry_at=NOW - timedelta(seconds=2))).is_healthy


TOO_LONG = Outcome(TaskStatus.FAILED, error="ContextTooLong", message="too many tokens", too_long=True)


def failed_as_too_long(session: Session) -> Session:
    """Also in its shorter rendering."""
    session = answered(answered(session, t0=TOO_LONG), t0=TOO_LONG)
    assert situation(session) is Situation.FAILED
    return session


def test_a_prompt_that_was_too_long_says_which_part_of_it_and_what_can_be_made_shorter() -> None:
    session = failed_as_too_long(answered(answered(started())))
    long = fact(session.waits_for[0], TaskStatus.FAILED, longest=("the user message", 612_345))
    found = examined(session, long)
    assert found.issues[1] == f"The longest part of {long.id} is the user message, 612,345 characters."
    assert found.recommendations == ("Restart phase 1 with fewer or shorter questions: give them as its input.",)
    assert found.next_verb is Verb.RESTART_PHASE


def test_an_input_that_was_too_long_is_made_shorter_in_a_new_session() -> None:
    found = examined(failed_as_too_long(started()))
    assert found.recommendations == ("Create a new session with a shorter input.",)
    assert found.next_verb is Verb.RESTART_SESSION


def test_a_failure_says_why_and_what_a_retry_costs() -> None:
    found = examined(WALK[Situation.FAILED], medians=MEDIANS)
    assert "RequestRejected: no" in found.summary
    costs = found.actions[0].forecast
    assert costs is not None
    assert (costs.reserved, costs.now.seconds) == (Micros(60_000), 2.0)


def test_a_restart_keeps_what_came_before() -> None:
    actions = {action.verb: action for action in examined(WALK[Situation.COMPLETED]).actions}
    costs = actions[Verb.RESTART_PHASE].forecast
    assert costs is not None
    assert costs.kept == ("1.THINK", "1.EXECUTE", "1.INTEGRATE")
    assert costs.to_end.calls == {Provider.GPT: 2}
