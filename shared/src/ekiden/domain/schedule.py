"""A schedule as a value: when it begins sessions, of what, and what becomes of a tick. `scheduling` has the rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from ekiden.domain.cron import Cron
from ekiden.domain.ids import NOTHING, Micros, RunId, ScheduleId, SessionId
from ekiden.domain.session import Money, Session


class Overlap(StrEnum):
    """What a tick does while a session of the schedule is not over."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"


class Outcome(StrEnum):
    FIRED = "fired"
    QUEUED = "queued"
    SKIPPED = "skipped"
    MISSED = "missed"


class Reason(StrEnum):
    """Why a tick was skipped or missed."""

    OVERLAP = "overlap"
    BUDGET = "budget"
    PAUSED = "paused"
    CATCH_UP = "catch_up"


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a tick, or of several in a row that the same became of: from `at` to `last_at`.

    `order` names a person's own; one of the clock has none. `cancels` are the sessions it takes the place of.
    """

    at: datetime
    outcome: Outcome
    reason: Reason | None = None
    last_at: datetime | None = None
    ticks: int = 1
    order: str | None = None
    cancels: tuple[SessionId, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """`session` is what each session of it begins as; `asked` is how a person asked for that.

    `next_at` is the tick that was not decided on yet: past when nobody has looked, None when none will come.
    `version` counts all writes, `revision` those of people.
    """

    id: ScheduleId
    owner: str
    name: str
    cron: Cron
    session: Session
    asked: Mapping[str, object]
    created_at: datetime
    overlap: Overlap = Overlap.SKIP
    catch_up: timedelta = timedelta(hours=1)
    budget: Micros | None = None
    next_at: datetime | None = None
    paused_at: datetime | None = None
    pause_reason: str = ""
    queued: Run | None = None
    decided: tuple[Run, ...] = ()
    decided_at: datetime | None = None
    last_run: Run | None = None
    version: int = 0
    revision: int = 0
    updated_at: datetime | None = None

    @property
    def price(self) -> Micros:
        """The most that one session of it may cost without a person's word."""
        return self.session.money.budget

    def run_id(self, run: Run) -> RunId:
        return RunId(f"run_{self._name_of(run)}")

    def session_id(self, run: Run) -> SessionId:
        """Made from what the session is, so that beginning the same run twice names the same session."""
        return SessionId(f"ses_{self._name_of(run)}")

    def begun(self, run: Run, now: datetime) -> Session:
        """The session of a run, as new."""
        return replace(
            self.session,
            id=self.session_id(run),
            created_at=now,
            money=Money(self.price),
            schedule=self.id,
            scheduled_at=run.at,
        )

    def _name_of(self, run: Run) -> str:
        what = run.at.isoformat() if run.order is None else f"order {run.order}"
        return sha256(f"{self.id} {what}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the sessions of a schedule stand: which are not over, and what those of this month have cost or still may."""

    running: tuple[SessionId, ...] = ()
    committed: Micros = NOTHING
