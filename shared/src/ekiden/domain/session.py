"""A session: one run of a workflow on one input, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ekiden.domain.ids import NOTHING, Micros, Position, ScheduleId, SessionId, Step, TaskId

InputValue = str | int | bool | list[str]
"""What an input of a workflow may be."""


class Status(StrEnum):
    PENDING = "PENDING"
    THINKING = "THINKING"
    EXECUTING = "EXECUTING"
    INTEGRATING = "INTEGRATING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class WaitingReason(StrEnum):
    """What only a person or a date can end."""

    APPROVAL = "approval"
    BUDGET = "budget"
    OUTCOME_UNKNOWN = "outcome_unknown"
    PAUSED = "paused"
    RETRY = "retry"


RUNNING: Mapping[Step, Status] = {
    Step.THINK: Status.THINKING,
    Step.EXECUTE: Status.EXECUTING,
    Step.INTEGRATE: Status.INTEGRATING,
}
ACTIVE = frozenset(RUNNING.values())
ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
OVER = frozenset({Status.COMPLETED, Status.CANCELLED})
"""It has nothing left to do, and waits for nobody."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step could not go on: the error's class name, its sentence, and the task it came from."""

    error: str
    message: str
    task_id: TaskId | None = None


@dataclass(frozen=True)
class StepState:
    """How far one step is.

    `generation` counts how often it was ordered. `tasks` is what the step waits for, one id per item and in
    the items' order; ids of several generations stand side by side after a retry. `failed` are those a retry
    orders again. `shorter` counts how often its prompts were made shorter, `fresh` forbids the search cache.
    `doubted` are those that may have been bought before the database was restored: they are created as unknown.
    `fallback` counts those who were asked before and failed, `fallback_reason` says why the last of them did.
    `flags` is what the checks found in the result.
    """

    generation: int = 0
    tasks: tuple[TaskId, ...] = ()
    failed: tuple[TaskId, ...] = ()
    result: object | None = None
    missing: tuple[int, ...] = ()
    shorter: int = 0
    fresh: bool = False
    doubted: tuple[TaskId, ...] = ()
    fallback: int = 0
    fallback_reason: str = ""
    flags: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None


_NOT_BEGUN = StepState()


@dataclass(frozen=True)
class Money:
    """The session's account. A task id is in `reserved` until it ends, then its cost is in `settled`."""

    budget: Micros
    reserved: Mapping[TaskId, Micros] = field(default_factory=dict[TaskId, Micros])
    settled: Mapping[TaskId, Micros] = field(default_factory=dict[TaskId, Micros])
    saved: Micros = NOTHING

    @property
    def spent(self) -> Micros:
        return Micros(sum(self.settled.values()))

    @property
    def held(self) -> Micros:
        return Micros(sum(self.reserved.values()))

    @property
    def free(self) -> Micros:
        return Micros(self.budget - self.spent - self.held)


class GateDefault(StrEnum):
    """What becomes of a session whose gate nobody answers in time. To stop is to cancel it."""

    APPROVE = "approve"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class GateTimeout:
    """How long each gate waits for an answer, and what happens then."""

    after: timedelta
    then: GateDefault


@dataclass(frozen=True, slots=True)
class Wishes:
    """What its owner asked for at the start: where to stop and look first, and for how long."""

    auto_advance: bool = True
    pause_after: frozenset[int] = frozenset()
    pause_before: frozenset[Position] = frozenset()
    gate_timeout: GateTimeout | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate a session stands at: since when, and when it is answered by itself."""

    since: datetime
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """It runs on the recorded answers of `of`, of the session `root` that was replayed first, and of its replays.

    Its prompts speak of the day of `as_of`, so that one that was not changed asks the same as it did then.
    """

    of: SessionId
    root: SessionId
    as_of: datetime


@dataclass(frozen=True)
class Session:
    id: SessionId
    owner: str
    workflow: str
    input: Mapping[str, InputValue]
    language: str
    created_at: datetime
    money: Money
    wishes: Wishes = field(default_factory=Wishes)
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    webhook_url: str | None = None
    parent: SessionId | None = None
    replay: Replay | None = None
    schedule: ScheduleId | None = None
    """What began it, and for which moment: `scheduled_at`."""
    scheduled_at: datetime | None = None

    version: int = 0
    status: Status = Status.PENDING
    waiting_reason: WaitingReason | None = None
    next_retry_at: datetime | None = None
    retry_count: int = 0
    position: Position | None = None
    gate: Gate | None = None
    gates_reached: int = 0
    """How often it has come to a gate: tells the same gate, reached again, from what it was before."""
    gates_passed: frozenset[str] = frozenset()
    steps: Mapping[str, StepState] = field(default_factory=dict[str, StepState])
    edited: Mapping[str, list[object]] = field(default_factory=dict[str, list[object]])
    failure: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    moved_at: datetime | None = None
    move_id: int | None = field(default=None, compare=False)
    """Drawn for each move when it is written: `version` counts alike before and after a restore. None of old ones."""
    restored_to: datetime | None = None
    """It came out of a backup that knows of nothing later: what it orders since may have been bought already."""

    @property
    def given(self) -> tuple[str, ...]:
        """The texts it was given, in the order of its workflow's inputs; of a list each item."""
        values = (value if isinstance(value, list) else [value] for value in self.input.values())
        return tuple(text for texts in values for text in texts if isinstance(text, str) and text.strip())

    @property
    def as_of(self) -> datetime:
        """The moment its prompts speak of."""
        return self.replay.as_of if self.replay else self.created_at

    @property
    def current(self) -> StepState:
        """The step the session stands at; an empty one before the start."""
        return self.steps.get(self.position.key, _NOT_BEGUN) if self.position else _NOT_BEGUN

    @property
    def waits_for(self) -> tuple[TaskId, ...]:
        """The tasks whose answers move the session: a list of ids, never a counter."""
        return self.current.tasks

    @property
    def results(self) -> Mapping[str, object]:
        return {key: step.result for key, step in self.steps.items() if step.result is not None}
