"""What a worker needs of the ledger: the port, and the values that pass through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ekiden.domain.ids import NOTHING, Micros, TaskId
from ekiden.domain.plan import Provider
from ekiden.retry import Tally, UnknownOutcome


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a task, until the lease runs out.

    `epoch` names this claim in every later write, `submission` the sending it works on: its own, or the one that
    brought the run id. `run_id` decides all else: with one the task is collected, without one it is submitted.
    `attempt` counts submissions, this one included.
    """

    task_id: TaskId
    session_id: str
    provider: Provider
    epoch: int
    submission: int
    attempt: int
    run_id: str | None
    request: Mapping[str, object]
    tally: Tally
    policy: UnknownOutcome
    cap: Micros
    hint: str = ""
    """What was wrong with the last answer, to be told to the model."""
    run_age_seconds: float = 0.0
    """With a run id: how long ago its call was sent when it was claimed, by the database's clock."""
    claimed_at: float = 0.0
    """This process's monotonic clock, read before the claim was sent: the lease counts from here."""
    traceparent: str = ""
    """Where in a trace the task was ordered."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call cost: tokens, whole micro-dollars, and the price or source the sum was made with.

    `billed` is None when nobody can say; then the cap of one call is booked and the answer is flagged.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    billed: Micros | None = NOTHING
    price: str = ""
    model: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """The provider's answer: the structured `result` for the session, the raw `response` for the ledger."""

    result: object
    response: object
    usage: Usage
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A submission that did not bring an answer, and what happens to its task.

    `outcome` is the submission's: `refused`, `held_back`, `not_sent`, `unusable`, `unknown`, `failed`,
    `rejected`.
    `again_seconds` queues the task again after a delay; with `ask` its outcome stays unknown; else it failed.
    """

    outcome: str
    error: str
    message: str
    billed: Micros = NOTHING
    again_seconds: float | None = None
    ask: bool = False
    may_pass: bool = False
    too_long: bool = False


class Saved(Enum):
    """What a report of how a submission ended came to."""

    DECIDED = "decided"
    """Its task went by it."""
    BOOKED = "booked"
    """It came second, and its cost is booked."""
    KNOWN = "known"
    """Nothing: the ledger had been told already, by this worker or by whoever replaced it."""


class Ledger(Protocol):
    """The tasks, as a worker sees them. Every method may raise Unreachable; none blocks longer than 10 s."""

    async def claim(self, task_id: TaskId) -> Claim | None:
        """Take a free task whose time has come. None when there is nothing to claim."""
        ...

    async def answer_from_cache(self, task_id: TaskId) -> bool:
        """Finish a free search with the answer of an identical one, if a young enough one is there."""
        ...

    async def put_off(self, task_id: TaskId, seconds: float) -> None:
        """Let a queued task be claimed only after some time; the reconciler announces it then."""
        ...

    async def submitted(self, claim: Claim, run_id: str) -> bool:
        """Save the provider's id of an accepted call. False when the task is no longer ours; kept all the same."""
        ...

    async def complete(self, claim: Claim, answer: Completed) -> Saved:
        """Save an answer. When it comes second only its cost is booked."""
        ...

    async def end(self, claim: Claim, ending: Ended) -> Saved:
        """Save how a submission ended without an answer. When the task is no longer ours only its cost is booked."""
        ...

    async def let_go(self, claim: Claim) -> None:
        """Give back a submitted task at once, for another worker to collect."""
        ...

    async def renew(self) -> Sequence[TaskId]:
        """Extend the lease of all that this worker holds; answer those whose cancellation is asked for."""
        ...

    async def status(self, task_id: TaskId) -> str | None:
        """The status a task has, or None when there is no such task."""
        ...
