"""What can be said to a session. Times and ids come in with the message: the decision has no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ekiden.domain.ids import NOTHING, Micros, TaskId


class TaskStatus(StrEnum):
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


FINAL = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
OPEN = frozenset({TaskStatus.QUEUED, TaskStatus.PROCESSING, TaskStatus.SUBMITTED})


@dataclass(frozen=True)
class Outcome:
    """What the ledger says of one task.

    `billed` is the sum of its submissions; `may_pass` tells whether the error may be gone on another try,
    `too_long` that a shorter prompt would help, `resend` that a person wants it ordered again. A cache hit is billed 0
    and says what it `saved`. `flags` is what the checks found in the result. `maybe_paid`: of one of its submissions
    nobody knows whether it was accepted.
    """

    status: TaskStatus
    result: object | None = None
    error: str = ""
    message: str = ""
    billed: Micros = NOTHING
    saved: Micros = NOTHING
    may_pass: bool = False
    too_long: bool = False
    resend: bool = False
    finished_at: datetime | None = None
    flags: tuple[str, ...] = ()
    maybe_paid: bool = False

    @property
    def may_fall_back(self) -> bool:
        """Whether somebody else may be asked: it failed, and no call of it has an outcome that nobody knows."""
        return self.status is TaskStatus.FAILED and self.error != "OutcomeUnknown" and not self.maybe_paid


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, or go on from where it stands."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Continue:
    """Pass a gate or a wait; `input` replaces the items of the step that waits, `budget` raises the budget.

    With `gate` it is about that gate and nothing else.
    """

    at: datetime
    input: tuple[object, ...] | None = None
    budget: Micros | None = None
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Something moved in the ledger. Carries no news but the ledger's own words."""

    at: datetime
    outcomes: Mapping[TaskId, Outcome]


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The pause before an automatic retry is over."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GateDue:
    """The time in which somebody could answer a gate may be over."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Retry:
    """Order the failed tasks of the step again."""

    at: datetime


@dataclass(frozen=True, slots=True)
class RestartPhase:
    """Order all steps from `phase` on again; `fresh` buys searches anew, `input` replaces the phase's items.

    With `gate` only while the session stands at that gate.
    """

    at: datetime
    phase: int
    input: tuple[object, ...] | None = None
    fresh: bool = False
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Resend:
    """A person's word on an unknown outcome: order that task again, at the risk of paying twice.

    The ledger has closed the task by then, so that an answer which came in meanwhile is not bought a second time.
    """

    at: datetime
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Pause:
    at: datetime


@dataclass(frozen=True, slots=True)
class Resume:
    at: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """End it; with `gate` only while it stands at that gate."""

    at: datetime
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """The database came out of a backup, whose ledger ends at `to`: what was done since that was made is not known."""

    at: datetime
    to: datetime


@dataclass(frozen=True, slots=True)
class Trust:
    """A person's word on a restored session: let it buy what it orders, at the risk of paying twice."""

    at: datetime


Message = (
    Start
    | Continue
    | Look
    | RetryDue
    | GateDue
    | Retry
    | RestartPhase
    | Resend
    | Pause
    | Resume
    | Cancel
    | Restored
    | Trust
)
