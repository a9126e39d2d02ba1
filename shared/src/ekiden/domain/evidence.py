"""The doctor's evidence: what the tasks, providers and queues that a session depends on are doing, a sentence each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ekiden.domain.forecast import usd
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.remedies import Case, TaskFact

LONG_QUEUE = timedelta(minutes=1)
"""A task queued longer than this is worth a word: there may be no worker."""
NAMED_TASKS = 20


class About(StrEnum):
    TASK = "task"
    PROVIDER = "provider"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Evidence:
    """`subject` is a task's id, or a provider's name; `says` is a sentence about it."""

    about: About
    subject: str
    says: str


def evidence(case: Case) -> Iterable[Evidence]:
    """What is known of all that the session waits for; answers that are there say nothing any more."""
    open_ended = [task for task in case.waited if task.status is not TaskStatus.COMPLETED]
    for task in open_ended[:NAMED_TASKS]:
        yield Evidence(About.TASK, task.id, _task(task, case))
    for provider in dict.fromkeys(task.provider for task in open_ended):
        held = case.held.get(provider)
        yield Evidence(About.PROVIDER, provider, f"Calls are held back: {held}." if held else "Takes calls.")
        if provider in case.queues:
            yield Evidence(About.QUEUE, provider, _queue(provider, case))


def hindrances(case: Case) -> Iterable[str]:
    """What keeps a session that is under way from going on as quickly as it could."""
    yield from _no_way_to_a_worker(case)
    events = case.orchestrators
    if events is not None and not events.consumers:
        yield f"No orchestrator is running: {_waiting(events.ready, 'event')} and nobody consumes."
    queued = case.first(TaskStatus.QUEUED)
    for provider in dict.fromkeys(task.provider for task in queued):
        if provider in case.held:
            yield f"Calls to {provider} are held back: {case.held[provider]}."
    for task in case.waited:
        if task.lease_until is not None and task.lease_until < case.now:
            yield f"The lease of {task.id} ran out at {at(task.lease_until)}: the reconciler takes it from its worker."
    for task in queued:
        if task.not_before and task.not_before > case.now:
            if task.error:
                yield f"{task.id} is tried again at {at(task.not_before)} after {task.error}: {task.message}."
        elif case.now - task.since > LONG_QUEUE and task.provider not in case.held:
            yield from _queued_long(task, case)


def at(moment: datetime) -> str:
    """A time for a sentence."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _no_way_to_a_worker(case: Case) -> Iterable[str]:
    free = [task for task in case.waited if task.status is TaskStatus.QUEUED or task.waits_to_be_collected]
    for provider in dict.fromkeys(task.provider for task in free):
        if provider not in case.queues:
            continue
        queue = case.queues[provider]
        if queue is None:
            yield "The broker does not answer: what is queued is stored, and is announced when it is back."
            return
        if not queue.consumers:
            yield f"No {provider}-worker is running: {_waiting(queue.ready)} and nobody consumes."


def _queued_long(task: TaskFact, case: Case) -> Iterable[str]:
    queue = case.queues.get(task.provider)
    if queue is not None and queue.consumers:
        behind = f"{_waiting(queue.ready)} for {count(queue.consumers, f'{task.provider}-worker')}"
        yield f"{task.id} is queued since {at(task.since)}: {behind}."
    elif task.provider not in case.queues:
        yield f"{task.id} is queued since {at(task.since)}: are {task.provider}-workers running?"


def _queue(provider: Provider, case: Case) -> str:
    queue = case.queues[provider]
    if queue is None:
        return "The broker does not answer."
    return f"{_waiting(queue.ready)}, {count(queue.consumers, 'worker')} to take them.".capitalize()


def _waiting(ready: int, word: str = "message") -> str:
    return f"{count(ready, word)} wait{'s' if ready == 1 else ''}"


def _task(task: TaskFact, case: Case) -> str:
    word = _WORDS.get(task.status, _ended)
    return f"{word(task, case)[:1].upper()}{word(task, case)[1:]}."


def _queued(task: TaskFact, case: Case) -> str:
    attempt = f"queued since {at(task.since)} for attempt {task.attempt + 1}"
    after = f" after {task.error}: {task.message.rstrip('.')}" if task.error else ""
    if task.twin is not None:
        return f"{attempt}; {task.twin} is buying the same search, and its answer will do for both"
    if task.not_before is None or task.not_before <= case.now:
        return attempt + after
    return f"{attempt}, not before {at(task.not_before)}{after}"


def _held(task: TaskFact, case: Case) -> str:
    run = f"run {task.run_id}, " if task.run_id else ""
    if task.worker is None:
        return f"{run}accepted by the provider since {at(task.since)}, waits for a worker to collect it"
    doing = "collected" if task.run_id else "sent"
    return f"{run}attempt {task.attempt}, {doing} by {task.worker} since {at(task.since)}; {_lease(task, case)}"


def _lease(task: TaskFact, case: Case) -> str:
    if task.lease_until is None:
        return "its lease is not known"
    left = (task.lease_until - case.now).total_seconds()
    if left < 0:
        return f"its lease ran out {-left:.0f} s ago"
    return f"its lease holds until {at(task.lease_until)}, for {left:.0f} s more"


def _unknown(task: TaskFact, case: Case) -> str:
    why = task.message.rstrip(".") or "its answer was lost"
    return f"attempt {task.attempt} may have been bought at {at(task.since)}, {usd(task.cap)} at risk: {why}"


def _ended(task: TaskFact, case: Case) -> str:
    why = f": {task.error}: {task.message.rstrip('.')}" if task.error else ""
    return f"{task.status.lower()} at {at(task.since)} after {count(task.attempt, 'attempt')}{why}"


_WORDS = {
    TaskStatus.QUEUED: _queued,
    TaskStatus.PROCESSING: _held,
    TaskStatus.SUBMITTED: _held,
    TaskStatus.OUTCOME_UNKNOWN: _unknown,
}
