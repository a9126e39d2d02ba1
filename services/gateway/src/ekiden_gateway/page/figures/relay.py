"""The relay: one leg for each phase, its steps, and where the sash is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ekiden.domain.ids import Micros, Position, Step, TaskName
from ekiden.domain.session import Session, Status
from ekiden.workflow.package import Workflow
from ekiden_gateway.models.wire import usd
from ekiden_gateway.views.tasks import retry_count

Document = Mapping[str, Any]


class Place(StrEnum):
    """Where something on the course is, seen from the sash."""

    DONE = "done"
    HERE = "here"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Stage:
    """A step: how many calls it made or will, how often calls were sent again, how long it took, what it cost."""

    step: Step
    place: Place
    calls: int
    again: int
    generation: int
    missing: int
    seconds: float | None
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Leg:
    """A phase. `result` is what it hands on, once it has it; `flags` is what was found in its answers."""

    number: int
    title: Mapping[str, str]
    name: str
    place: Place
    stages: Sequence[Stage]
    result: object | None
    flags: Sequence[str]

    @property
    def seconds(self) -> float | None:
        known = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return sum(known) if known else None


def relay(session: Session, workflow: Workflow, ledger: Sequence[Document], now: datetime) -> list[Leg]:
    """The legs in their order. A completed session has its sash at the finish, behind all of them."""
    return [_leg(session, workflow, number, ledger, now) for number in range(1, workflow.plan.phases + 1)]


def _leg(session: Session, workflow: Workflow, number: int, ledger: Sequence[Document], now: datetime) -> Leg:
    phase = workflow.definition.phases[number - 1]
    positions = [step.position for step in workflow.plan.steps if step.position.phase == number]
    stages = [_stage(session, workflow, position, ledger, now) for position in positions]
    places = {stage.place for stage in stages}
    place = Place.HERE if Place.HERE in places else Place.DONE if places == {Place.DONE} else Place.AHEAD
    last = session.steps.get(positions[-1].key)
    flags = [flag for found in positions if found.key in session.steps for flag in session.steps[found.key].flags]
    result = last.result if last and place is Place.DONE else None
    return Leg(number, phase.title, phase.name, place, stages, result, flags)


def _stage(
    session: Session, workflow: Workflow, position: Position, ledger: Sequence[Document], now: datetime
) -> Stage:
    state = session.steps.get(position.key)
    place = _place(session, workflow, position)
    tasks = [row for row in ledger if TaskName.parse(row["_id"]).position == position]
    current = [row for row in tasks if state is not None and row["_id"] in state.tasks]
    seconds = None
    if state is not None and state.started_at is not None and place is not Place.AHEAD:
        ended = state.finished_at or (session.finished_at if session.status in _ENDED else now)
        seconds = max(0.0, ((ended or now) - state.started_at).total_seconds())
    return Stage(
        step=position.step,
        place=place,
        calls=len(state.tasks) if state is not None else 0,
        again=sum(retry_count(row) for row in current),
        generation=state.generation if state is not None else 0,
        missing=len(state.missing) if state is not None else 0,
        seconds=seconds,
        cost_usd=usd(Micros(sum(row.get("billed", 0) for row in tasks))),
    )


_ENDED = frozenset({Status.FAILED, Status.CANCELLED})


def _place(session: Session, workflow: Workflow, position: Position) -> Place:
    if session.status is Status.COMPLETED:
        return Place.DONE
    if session.position is None:
        return Place.AHEAD
    if position == session.position:
        return Place.HERE
    return Place.AHEAD if position in workflow.plan.from_(session.position) else Place.DONE
