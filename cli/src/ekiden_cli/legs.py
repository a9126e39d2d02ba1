"""A session as a relay: its phases are the legs, their steps the stations, read from one status document."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from ekiden_client import SessionState, SessionStatus, Step
from ekiden_client.models.status import PhaseStatus
from ekiden_client.models.tasks import TaskState

_FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_PLACE = re.compile(r"\.g(?P<generation>\d+)\.(?P<index>\d+)$")


class Mark(Enum):
    """How far a station or a leg is."""

    AHEAD = "ahead"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Searches:
    """The calls of one fan-out: how many there are and how many have ended, and how many of those without success."""

    total: int = 0
    ended: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Station:
    step: Step
    mark: Mark
    searches: Searches = Searches()


@dataclass(frozen=True)
class Leg:
    number: int
    title: str
    mark: Mark
    stations: tuple[Station, ...]
    seconds: float | None


def legs(
    status: SessionStatus, tasks: Iterable[TaskState], now: datetime, fan_outs: Collection[int] = frozenset()
) -> list[Leg]:
    """Return every leg.

    `tasks` are all that were seen so far, as a status names only the latest; `fan_outs` the phases that are known to
    have an EXECUTE, as a status names it only once it has come.
    """
    known = list(tasks)
    phases = sorted(status.phases, key=lambda phase: phase.number)
    return [_leg(status.session, phase, known, now, fans_out=phase.number in fan_outs) for phase in phases]


def _leg(session: SessionState, phase: PhaseStatus, tasks: list[TaskState], now: datetime, *, fans_out: bool) -> Leg:
    searches = count_searches(
        task for task in tasks if task.phase_number == phase.number and task.step_name == "EXECUTE"
    )
    mark = _mark_of_phase(session, phase.number)
    steps = [step for step in Step if step is not Step.EXECUTE or fans_out or _has_execute(session, phase, searches)]
    stations = tuple(_station(step, _mark_of_step(session, phase.number, step), searches) for step in steps)
    began = phase.timestamps.started_at
    ended_at = phase.timestamps.finished_at or session.ended_at or (now if mark is not Mark.AHEAD else None)
    span = (ended_at - began).total_seconds() if began and ended_at else None
    return Leg(phase.number, phase.title or phase.name, mark, stations, max(span, 0.0) if span is not None else None)


def _station(step: Step, mark: Mark, searches: Searches) -> Station:
    """A fan-out that is done has seen all of its searches end, whatever the last look at them was."""
    if step is not Step.EXECUTE:
        return Station(step, mark)
    return Station(step, mark, replace(searches, ended=searches.total) if mark is Mark.DONE else searches)


def count_searches(tasks: Iterable[TaskState]) -> Searches:
    """Count the latest order of each item: a retry orders it again under the next generation."""
    latest: dict[str, tuple[int, str]] = {}
    for task in tasks:
        place = _PLACE.search(task.id)
        index, generation = (place["index"], int(place["generation"])) if place else (task.id, 0)
        if index not in latest or latest[index][0] <= generation:
            latest[index] = (generation, task.status)
    ended = [state for _, state in latest.values() if state in _FINAL]
    return Searches(len(latest), len(ended), sum(state != "COMPLETED" for state in ended))


def _has_execute(session: SessionState, phase: PhaseStatus, searches: Searches) -> bool:
    here = session.current_phase == phase.number and session.current_step == Step.EXECUTE
    return phase.has_execute or here or searches.total > 0


_CURRENT: Mapping[str, Mark] = {
    "WAITING": Mark.WAITING,
    "FAILED": Mark.FAILED,
    "CANCELLED": Mark.CANCELLED,
    "COMPLETED": Mark.DONE,
    "PENDING": Mark.AHEAD,
}


def _mark_of_phase(session: SessionState, number: int) -> Mark:
    current = session.current_phase or 0
    if session.status == "COMPLETED" or number < current:
        return Mark.DONE
    if number > current:
        return Mark.AHEAD
    return _CURRENT.get(session.status, Mark.RUNNING)


def _mark_of_step(session: SessionState, number: int, step: Step) -> Mark:
    mark = _mark_of_phase(session, number)
    if mark in (Mark.DONE, Mark.AHEAD) or session.current_step is None:
        return mark
    order = [member.value for member in Step]
    here, there = order.index(step), order.index(session.current_step)
    return Mark.DONE if here < there else mark if here == there else Mark.AHEAD
