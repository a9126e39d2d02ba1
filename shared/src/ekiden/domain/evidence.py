"""The doctor's evidence: what the tasks, providers and queues that a session depends on are doing, a sentence each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ekiden.domain.forecast import usd
from ekiden.domain.messages import TaskStatus
from ekiden.domain.plan import Provider
from ekiden.domain.remedies import Case, TaskFact
from ekiden.domain.told import Told, count, told

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
        yield Evidence(About.PROVIDER, provider, _provider(held))
        if provider in case.queues:
            yield Evidence(About.QUEUE, provider, _queue(provider, case))


def _provider(held: str | None) -> Told:
    return told("Calls are held back: {why}.", why=held) if held else told("Takes calls.")


def hindrances(case: Case) -> Iterable[str]:
    """What keeps a session that is under way from going on as quickly as it could."""
    yield from _no_way_to_a_worker(case)
    events = case.orchestrators
    if events is not None and not events.consumers:
        yield told(
            "No orchestrator is running: {waiting} and nobody consumes.", waiting=_waiting(events.ready, "event")
        )
    queued = case.first(TaskStatus.QUEUED)
    for provider in dict.fromkeys(task.provider for task in queued):
        if provider in case.held:
            yield told("Calls to {provider} are held back: {why}.", provider=provider, why=case.held[provider])
    for task in case.waited:
        if task.lease_until is not None and task.lease_until < case.now:
            yield told(
                "The lease of {task} ran out at {at}: the reconciler takes it from its worker.",
                task=task.id,
                at=at(task.lease_until),
            )
    for task in queued:
        if task.not_before and task.not_before > case.now:
            if task.error:
                yield told(
                    "{task} is tried again at {at} after {error}: {message}.",
                    task=task.id,
                    at=at(task.not_before),
                    error=task.error,
                    message=task.message,
                )
        elif case.now - task.since > LONG_QUEUE and task.provider not in case.held:
            yield from _queued_long(task, case)


def at(moment: datetime) -> str:
    """A time for a sentence."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _no_way_to_a_worker(case: Case) -> Iterable[str]:
    free = [task for task in case.waited if task.status is TaskStatus.QUEUED or task.waits_to_be_collected]
    for provider in dict.fromkeys(task.provider for task in free):
        if provider not in case.queues:
            continue
        queue = case.queues[provider]
        if queue is None:
            yield told("The broker does not answer: what is queued is stored, and is announced when it is back.")
            return
        if not queue.consumers:
            yield told(
                "No {provider}-worker is running: {waiting} and nobody consumes.",
                provider=provider,
                waiting=_waiting(queue.ready),
            )


def _queued_long(task: TaskFact, case: Case) -> Iterable[str]:
    queue = case.queues.get(task.provider)
    if queue is not None and queue.consumers:
        yield told(
            "{task} is queued since {at}: {waiting} for {workers}.",
            task=task.id,
            at=at(task.since),
            waiting=_waiting(queue.ready),
            workers=count(queue.consumers, "{provider}-worker", provider=task.provider),
        )
    elif task.provider not in case.queues:
        yield told(
            "{task} is queued since {at}: are {provider}-workers running?",
            task=task.id,
            at=at(task.since),
            provider=task.provider,
        )


def _queue(provider: Provider, case: Case) -> Told:
    queue = case.queues[provider]
    if queue is None:
        return told("The broker does not answer.")
    return told(
        "{waiting}, {workers} to take them.", waiting=_waiting(queue.ready), workers=count(queue.consumers, "worker")
    )


def _waiting(ready: int, word: str = "message") -> Told:
    one, more = "{messages} waits", "{messages} wait"
    return told(one if ready == 1 else more, messages=count(ready, word))


def _task(task: TaskFact, case: Case) -> Told:
    return _WORDS.get(task.status, _ended)(task, case)


def _queued(task: TaskFact, case: Case) -> Told:
    waits = told("Queued since {at} for attempt {number}", at=at(task.since), number=task.attempt + 1)
    after = told(" after {error}: {message}", error=task.error, message=task.message.rstrip(".")) if task.error else ""
    if task.twin is not None:
        return told(
            "{queued}; {twin} is buying the same search, and its answer will do for both.", queued=waits, twin=task.twin
        )
    if task.not_before is None or task.not_before <= case.now:
        return told("{queued}{after}.", queued=waits, after=after)
    return told("{queued}, not before {at}{after}.", queued=waits, at=at(task.not_before), after=after)


def _held(task: TaskFact, case: Case) -> Told:
    """With its run, when the provider has accepted it."""
    since, lease, number = at(task.since), _lease(task, case), task.attempt
    if task.run_id is None:
        if task.worker is None:
            return told("Accepted by the provider since {at}, waits for a worker to collect it.", at=since)
        return told(
            "Attempt {number}, sent by {worker} since {at}; {lease}.",
            number=number,
            worker=task.worker,
            at=since,
            lease=lease,
        )
    if task.worker is None:
        return told(
            "Run {run}, accepted by the provider since {at}, waits for a worker to collect it.",
            run=task.run_id,
            at=since,
        )
    return told(
        "Run {run}, attempt {number}, collected by {worker} since {at}; {lease}.",
        run=task.run_id,
        number=number,
        worker=task.worker,
        at=since,
        lease=lease,
    )


def _lease(task: TaskFact, case: Case) -> Told:
    if task.lease_until is None:
        return told("its lease is not known")
    left = (task.lease_until - case.now).total_seconds()
    if left < 0:
        return told("its lease ran out {seconds} s ago", seconds=f"{-left:.0f}")
    return told("its lease holds until {at}, for {seconds} s more", at=at(task.lease_until), seconds=f"{left:.0f}")


def _unknown(task: TaskFact, case: Case) -> Told:
    return told(
        "Attempt {number} may have been bought at {at}, {risk} at risk: {why}.",
        number=task.attempt,
        at=at(task.since),
        risk=usd(task.cap),
        why=task.message.rstrip(".") or told("its answer was lost"),
    )


def _ended(task: TaskFact, case: Case) -> Told:
    why = told(": {error}: {message}", error=task.error, message=task.message.rstrip(".")) if task.error else ""
    return told(
        "{status} at {at} after {attempts}{why}.",
        status=told(task.status.capitalize()),
        at=at(task.since),
        attempts=count(task.attempt, "attempt"),
        why=why,
    )


_WORDS = {
    TaskStatus.QUEUED: _queued,
    TaskStatus.PROCESSING: _held,
    TaskStatus.SUBMITTED: _held,
    TaskStatus.OUTCOME_UNKNOWN: _unknown,
}
