"""The doctor: one sentence for every situation, what a session waits for, since when, and what helps.

Longer than a module should be, because the sentences of all situations are best read on one page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from ekiden.domain.decider import Situation, situation
from ekiden.domain.evidence import Evidence, at, evidence, hindrances
from ekiden.domain.forecast import Medians, items, step_calls, usd
from ekiden.domain.ids import NOTHING, Micros
from ekiden.domain.messages import OPEN, TaskStatus
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import AUTOMATIC_RETRIES
from ekiden.domain.remedies import Action, Case, QueueFact, TaskFact, Verb, actions, needed_budget
from ekiden.domain.session import GateDefault, Session
from ekiden.domain.told import Told, count, told

STALLED = timedelta(minutes=2)
"""A session under way that waits for nothing and has not moved for so long is a bug of ours."""
OVERDUE = timedelta(seconds=15)
"""A crash of ours delays an automatic retry by no more (DESIGN 7)."""
NAMED_ITEMS = 5
_RESTORED = told(
    "It was restored from a backup, and asks for every search that it orders: resolve_all with resend sends all of "
    "these again, collects those whose run is known, and lets it buy by itself from then on."
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`is_healthy`: it goes on by itself, has ended well, or waits as it was asked to. The first action helps most.

    `stalled` is a bug of ours: it is under way, waits for nothing, and has not moved for long. `at_risk` is what the
    calls of which nobody can say whether they were bought may cost a second time.
    """

    is_healthy: bool
    summary: str
    issues: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    at_risk: Micros = NOTHING
    stalled: bool = False

    @property
    def next_verb(self) -> Verb:
        return self.actions[0].verb if self.actions else Verb.WAIT


def diagnose(
    session: Session,
    tasks: Sequence[TaskFact],
    plan: Plan,
    now: datetime,
    *,
    medians: Medians | None = None,
    held: Mapping[Provider, str] | None = None,
    queues: Mapping[Provider, QueueFact | None] | None = None,
    orchestrators: QueueFact | None = None,
) -> Diagnosis:
    """Say how a session is. Total: there is a finding for every situation."""
    case = Case(session, tasks, plan, now, medians or {}, held or {}, queues or {}, orchestrators)
    finding = _FINDINGS[situation(session)](case)
    return Diagnosis(
        finding.healthy,
        finding.summary,
        finding.issues,
        finding.advice,
        tuple(actions(case, finding.helps)),
        tuple(evidence(case)),
        _at_risk(case),
        _stands_still(case),
    )


@dataclass(frozen=True, slots=True)
class _Finding:
    healthy: bool
    summary: str
    issues: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    helps: tuple[Verb, ...] = ()


# ── one finding for every situation ──────────────────────────────────────────────────────────────────────


def _pending(case: Case) -> _Finding:
    text = told("Created at {at} and not started yet.", at=at(case.session.created_at))
    return _Finding(True, text, advice=(told("Start it with process-async."),), helps=(Verb.START,))


def _active(case: Case) -> _Finding:
    where, waited = case.session.position, case.session.waits_for
    known = {task.id: task for task in case.waited}
    issues = list(hindrances(case))
    absent = [task for task in waited if task not in known]
    parts = (*_by_status(case.waited), *([told("{number} being created", number=len(absent))] if absent else []))
    if _stands_still(case):
        answered, nothing = told("Every answer is there"), told("Nothing is under way that could answer")
        issues.append(
            told(
                "{why}, and nothing has moved since {at}: the reconciler resumes it.",
                why=answered if waited and not absent else nothing,
                at=_since(case),
            )
        )
    summary = told(
        "{where} is under way and waits for {tasks}: {how}.",
        where=where,
        tasks=count(len(waited), "task"),
        how=parts or told("none"),
    )
    advice = (told("Nothing needs to be done: it goes on by itself."),) if not issues else ()
    return _Finding(not issues, summary, tuple(issues), advice, (Verb.WAIT,))


def _stands_still(case: Case) -> bool:
    """Under way, with no task that could still answer, and unmoved for long: the rule of doctor and reconciler."""
    moved = case.session.moved_at
    if situation(case.session) is not Situation.ACTIVE or any(task.status in OPEN for task in case.waited):
        return False
    return moved is not None and case.now - moved > STALLED


def _approval(case: Case) -> _Finding:
    finding, gate, timeout = _at_gate(case), case.session.gate, case.session.wishes.gate_timeout
    if gate is None or gate.due is None or timeout is None:
        return finding
    word = told("passed") if timeout.then is GateDefault.APPROVE else told("stopped, which cancels it,")
    due = at(gate.due)
    if case.now - gate.due > OVERDUE:
        late = told(
            "It was to be {done} at {at} and nobody has done it: is an orchestrator running?", done=word, at=due
        )
        return replace(finding, healthy=False, issues=(late,), advice=(told("Start an orchestrator."), *finding.advice))
    unanswered = told("{waits} Unanswered, it is {done} at {at}.", waits=finding.summary, done=word, at=due)
    return replace(finding, summary=unanswered)


def _at_gate(case: Case) -> _Finding:
    position, gate = case.session.position, case.session.gate
    since = at(gate.since) if gate else _since(case)
    if position is None or case.plan.by_position[position].for_each is None:
        text = told("Waits for approval before {where} since {at}, as asked.", where=position, at=since)
        return _Finding(True, text, advice=(told("Continue to go on."),), helps=(Verb.CONTINUE,))
    planned = items(case.session, position, case.plan)
    calls = step_calls(case.session, position, case.plan, case.medians)
    step = case.plan.by_position[position]
    named = "; ".join(_said(item) for item in planned[:NAMED_ITEMS])
    took = told(" and about {seconds} s", seconds=f"{calls.seconds:.0f}") if calls.seconds is not None else ""
    text = told(
        "Waits for approval before {where} since {at}: {calls} to {provider} for at most {number} × {cap} = "
        "{price}{took}: {items}.",
        where=position,
        at=since,
        calls=count(len(planned), "call"),
        provider=step.provider,
        number=len(planned),
        cap=usd(step.cap),
        price=usd(calls.at_most),
        took=took,
        items=named,
    )
    advice = (told("Continue to buy them as they are, or continue with an edited input."),)
    return _Finding(True, text, advice=advice, helps=(Verb.CONTINUE,))


def _budget(case: Case) -> _Finding:
    money = case.session.money
    needed = needed_budget(case.session, case.plan)
    more = Micros(needed - money.budget)
    text = told(
        "Waits for a higher budget before {where} since {at}: the next step may cost up to {price} and {free} of "
        "{budget} are free.",
        where=case.session.position,
        at=_since(case),
        price=usd(Micros(money.free + more)),
        free=usd(money.free),
        budget=usd(money.budget),
    )
    issue = told("The budget is {short} too small.", short=usd(more))
    advice = told("Continue with budgetUsd {needed} or more.", needed=f"{needed / 1_000_000:g}")
    return _Finding(False, text, (issue,), (advice,), (Verb.CONTINUE,))


def _unknown(case: Case) -> _Finding:
    tasks = case.first(TaskStatus.OUTCOME_UNKNOWN)
    risk = usd(_at_risk(case))
    ids = tuple(task.id for task in tasks) or told("a task")
    since = at(min(task.since for task in tasks)) if tasks else _since(case)
    text = told(
        "Nobody can say whether {tasks} was bought, since {at}: resending it may pay up to {risk} a second time.",
        tasks=ids,
        at=since,
        risk=risk,
    )
    lost = told("its answer was lost")
    issues = tuple(told("{task}: {why}", task=task.id, why=task.message or lost) for task in tasks)
    advice = (
        told(
            "Resolve it with one of: resend (order it again), give_up (go on without it), attach (give the run id "
            "found at the provider, to collect what was paid)."
        ),
        *([_RESTORED] if case.session.restored_to is not None else ()),
    )
    return _Finding(False, text, issues, advice, (Verb.RESOLVE,))


def _at_risk(case: Case) -> Micros:
    return Micros(sum(task.cap for task in case.first(TaskStatus.OUTCOME_UNKNOWN)))


def _paused(case: Case) -> _Finding:
    text = told(
        "Paused by a person at {where} since {at}; calls under way are kept.",
        where=case.session.position,
        at=_since(case),
    )
    return _Finding(True, text, advice=(told("Resume to go on."),), helps=(Verb.RESUME,))


def _retry(case: Case) -> _Finding:
    session, due = case.session, case.session.next_retry_at
    text = told(
        "{where} is tried again {when}, retry {number} of {most}: {why}",
        where=session.position,
        when=told("at {at}", at=at(due)) if due else told("soon"),
        number=session.retry_count,
        most=AUTOMATIC_RETRIES,
        why=_why(case),
    )
    if due is not None and case.now - due > OVERDUE:
        late = told("It was due at {at} and nobody has made it: is an orchestrator running?", at=at(due))
        advice = (told("Start an orchestrator, or retry by hand."),)
        return _Finding(False, text, (late, _why(case)), advice, (Verb.RETRY,))
    advice = (told("Nothing needs to be done; retry does it at once."),)
    return _Finding(True, text, (_why(case),), advice, (Verb.WAIT, Verb.RETRY))


def _completed(case: Case) -> _Finding:
    ended = case.session.finished_at
    text = told(
        "Completed at {at} for {cost}.",
        at=at(ended) if ended else told("its end"),
        cost=usd(case.session.money.spent),
    )
    missing = sum(len(step.missing) for step in case.session.steps.values())
    gaps = (told("{calls} failed and the step went on without.", calls=count(missing, "call")),) if missing else ()
    return _Finding(True, text, gaps, (told("Read the drafts."),), (Verb.DRAFTS,))


def _failed(case: Case) -> _Finding:
    text = told("{where} failed{at}: {why}", where=case.session.position, at=_ended_at(case), why=_why(case))
    if case.session.failure and case.session.failure.error == "ContextTooLong":
        return _too_long(case, text)
    advice = (told("Retry orders the failed tasks again and keeps every result."),)
    return _Finding(False, text, (_why(case),), advice, (Verb.RETRY, Verb.RESTART_PHASE))


def _too_long(case: Case, text: str) -> _Finding:
    """A retry would be as long: what helps is less of what went into it."""
    position = case.session.position
    lengths = [(task.id, *task.longest) for task in case.waited if task.longest is not None]
    longest = tuple(
        told("The longest part of {task} is {name}, {length} characters.", task=task, name=name, length=f"{length:,}")
        for task, name, length in lengths
    )
    before = [step.position for step in case.plan.steps]
    before = before[: before.index(position) + 1] if position else []
    fan_outs = [found.phase for found in before if case.plan.by_position[found].for_each is not None]
    if fan_outs:
        advice = told(
            "Restart phase {phase} with fewer or shorter questions: give them as its input.", phase=fan_outs[-1]
        )
        return _Finding(False, text, (_why(case), *longest), (advice,), (Verb.RESTART_PHASE,))
    advice = told("Create a new session with a shorter input.")
    return _Finding(False, text, (_why(case), *longest), (advice,), (Verb.RESTART_SESSION,))


def _cancelled(case: Case) -> _Finding:
    text = told("Cancelled{at} by a person; nothing more is bought.", at=_ended_at(case))
    return _Finding(True, text, advice=(told("Restart it as a new session."),), helps=(Verb.RESTART_SESSION,))


_FINDINGS = {
    Situation.PENDING: _pending,
    Situation.ACTIVE: _active,
    Situation.APPROVAL: _approval,
    Situation.BUDGET: _budget,
    Situation.UNKNOWN: _unknown,
    Situation.PAUSED: _paused,
    Situation.RETRY: _retry,
    Situation.COMPLETED: _completed,
    Situation.FAILED: _failed,
    Situation.CANCELLED: _cancelled,
}


# ── small words ──────────────────────────────────────────────────────────────────────────────────────────


def _since(case: Case) -> str:
    return at(case.session.moved_at or case.session.created_at)


def _ended_at(case: Case) -> str:
    ended = case.session.finished_at
    return told(" at {at}", at=at(ended)) if ended else ""


def _why(case: Case) -> Told:
    failure = case.session.failure
    if failure is None:
        return told("the reason was not kept.")
    return told(
        "{error}: {message}{task}.",
        error=failure.error,
        message=failure.message.rstrip(".") or told("no details"),
        task=told(" ({task})", task=failure.task_id) if failure.task_id else "",
    )


def _by_status(tasks: Sequence[TaskFact]) -> Iterable[Told]:
    for status in TaskStatus:
        found = [task for task in tasks if task.status is status]
        if found:
            yield told(
                "{number} {status} since {at}",
                number=len(found),
                status=told(status.lower().replace("_", " ")),
                at=at(min(task.since for task in found)),
            )


def _said(item: object) -> str:
    """An item as a person reads it: the question of a planned search, else what it is."""
    fields = cast("Mapping[str, object]", item) if isinstance(item, Mapping) else {"question": item}
    return f"“{fields.get('question', fields)}”"
