"""Runs of the Agent API. Nothing works in the background: where a run stands is computed from the clock when asked."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ekiden_simulator.bill import Entry, Outcome
from ekiden_simulator.faults import FailedRun, Fault, Length, SlowPoll
from ekiden_simulator.perplexity_fields import AgentRequest

_QUEUED_SHARE = 0.1  # of a run's time; recorded runs showed `queued` for the first polls
_KEPT_RUNS = 50_000  # the oldest are forgotten; how long the real one keeps them is not known


class RunStatus(StrEnum):
    """A run's `status` on the wire."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self not in (RunStatus.QUEUED, RunStatus.IN_PROGRESS)


@dataclass(slots=True)
class Run:
    """One accepted run. Times are seconds of the runs' clock."""

    run_id: str
    request: AgentRequest
    entry: Entry
    started_at: float
    ready_at: float
    truncated: bool
    cost_without_output_usd: float
    fault: Fault | None = None
    extra_polls: int = 0
    cancelled_at: float | None = None

    def status_at(self, now: float) -> RunStatus:
        """Return where the run stands."""
        if self.cancelled_at is not None:
            return RunStatus.CANCELLED
        if now < self.ready_at or self.extra_polls > 0:
            queued_until = self.started_at + _QUEUED_SHARE * (self.ready_at - self.started_at)
            return RunStatus.QUEUED if now < queued_until else RunStatus.IN_PROGRESS
        if isinstance(self.fault, FailedRun):
            return RunStatus.FAILED
        if self.truncated or isinstance(self.fault, Length):
            return RunStatus.INCOMPLETE
        return RunStatus.COMPLETED

    def was_searching(self) -> bool:
        """Tell whether a cancelled run had left the queue, and so has found something."""
        seconds = self.ready_at - self.started_at
        return self.cancelled_at is not None and self.cancelled_at >= self.started_at + _QUEUED_SHARE * seconds

    def suffer(self, fault: Fault | None) -> None:
        """Let a fault of this run take effect, now or when it ends."""
        if isinstance(fault, SlowPoll):
            self.extra_polls += fault.polls if self.request.background else 0
            self.ready_at += fault.seconds
        elif fault is not None:
            self.fault = fault
        if isinstance(fault, FailedRun):
            self.entry.cost_usd = self.cost_without_output_usd


class Runs:
    """All runs by id."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._runs: dict[str, Run] = {}

    def add(self, run: Run) -> None:
        """Keep an accepted run, forgetting the oldest when there are too many."""
        if len(self._runs) >= _KEPT_RUNS:
            del self._runs[next(iter(self._runs))]
        self._runs[run.run_id] = run

    def find(self, run_id: str) -> Run | None:
        """Return a run, None when the id is unknown."""
        return self._runs.get(run_id)

    def poll(self, run: Run) -> RunStatus:
        """Return where a run stands and count the look: one that is slow by polls gets nearer its end."""
        status = run.status_at(self._clock())
        if run.extra_polls > 0 and self._clock() >= run.ready_at:
            run.extra_polls -= 1
        return self._settle(run, status)

    def end(self, run: Run) -> RunStatus:
        """Return how a run ended whose time was waited for; a timer may ring a millisecond early."""
        return self._settle(run, run.status_at(max(self._clock(), run.ready_at)))

    def cancel(self, run: Run) -> bool:
        """Cancel a run that is not final; tell whether it was. It still costs what it has searched."""
        now = self._clock()
        if run.status_at(now).final:
            return False
        run.cancelled_at = now
        run.entry.cost_usd = run.cost_without_output_usd
        self._settle(run, RunStatus.CANCELLED)
        return True

    def settle(self) -> int:
        """Bring the bill's outcomes up to now, and return how many runs are still on their way."""
        now = self._clock()
        return sum(
            not self._settle(run, run.status_at(now)).final
            for run in self._runs.values()
            if run.entry.outcome is Outcome.RUNNING
        )

    def clear(self) -> None:
        """Forget every run."""
        self._runs.clear()

    def _settle(self, run: Run, status: RunStatus) -> RunStatus:
        if status.final:
            run.entry.outcome = Outcome(status.value)
        return status
