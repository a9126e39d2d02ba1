"""What becomes of each tick of a schedule. Every rule is here; nothing here does I/O or reads a clock.

A decision makes of a schedule, the time, and how its sessions stand a schedule that says what is to be done
(`decided`). It is saved before anything of it is done, so that it is made once; doing it may be repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from ekiden.domain.cron import Cron
from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.schedule import Outcome, Overlap, Reason, Run, Schedule, Standing

MOST_COUNTED = 10_000
"""Ticks that were missed are counted to here: a schedule of every minute that was away for a week has that many."""


@dataclass
class _Desk:
    """A decision in the making."""

    schedule: Schedule
    running: tuple[SessionId, ...]
    committed: Micros
    queued: Run | None
    runs: list[Run] = field(default_factory=list[Run])
    _released: int = 0
    """How many of the runs are of what waited: those have lines of their own already."""

    def fire(self, run: Run) -> bool:
        """Begin a session, if the month's money has room for all that it may cost."""
        schedule = self.schedule
        if schedule.budget is not None and self.committed + schedule.price > schedule.budget:
            self.note(replace(run, outcome=Outcome.SKIPPED, reason=Reason.BUDGET, cancels=()))
            return False
        self.note(replace(run, outcome=Outcome.FIRED, reason=None))
        self.running = (schedule.session_id(run),)
        self.committed = Micros(self.committed + schedule.price)
        return True

    def release(self) -> None:
        """What waits in the queue comes first."""
        if self.queued is not None and not self.running:
            waited, self.queued = self.queued, None
            self.fire(waited)
            self._released = len(self.runs)

    def take(self, run: Run, *, latest: bool = True) -> None:
        """Do with a tick as the overlap policy says; `latest`: none that is due stands behind it."""
        policy = self.schedule.overlap
        if policy is Overlap.CANCEL:
            if latest:
                self.fire(replace(run, cancels=self.running))
            else:
                self.note(replace(run, outcome=Outcome.SKIPPED, reason=Reason.OVERLAP))
        elif not self.running and self.queued is None:
            self.fire(run)
        elif policy is Overlap.QUEUE and self.queued is None:
            self.queued = replace(run, outcome=Outcome.QUEUED)
            self.note(self.queued)
        else:
            self.note(replace(run, outcome=Outcome.SKIPPED, reason=Reason.OVERLAP))

    def note(self, run: Run) -> None:
        """Write it down; ticks in a row that were left out for the same reason stand in one line."""
        last = self.runs[-1] if len(self.runs) > self._released else None
        if last is None or run.order or last.order or run.outcome is not Outcome.SKIPPED:
            self.runs.append(run)
        elif (last.outcome, last.reason) == (run.outcome, run.reason):
            self.runs[-1] = replace(last, last_at=run.at, ticks=last.ticks + 1)
        else:
            self.runs.append(run)

    def decided(self, now: datetime) -> Schedule:
        return replace(
            self.schedule,
            queued=self.queued,
            decided=tuple(self.runs),
            decided_at=now,
            last_run=self.runs[-1],
        )


def decide(schedule: Schedule, now: datetime, standing: Standing) -> Schedule:
    """Say what becomes of the ticks that are due, and of one that waits. The same schedule when there is nothing to do.

    At most one session begins. Ticks older than the catch-up window are missed; the others have their turn one
    after the other, as if somebody had looked in time.
    """
    late, due, following = _ticks(schedule, now)
    desk = _Desk(schedule, standing.running, standing.committed, schedule.queued)
    desk.release()
    if late is not None:
        desk.note(late)
    for at in due:
        desk.take(Run(at, Outcome.FIRED), latest=at == due[-1])
    return replace(desk.decided(now), next_at=following) if desk.runs else schedule


def release(schedule: Schedule, now: datetime, standing: Standing) -> Schedule:
    """Let a person's order that waits begin when its turn has come, whatever the clock says. Else the same schedule."""
    desk = _Desk(schedule, standing.running, standing.committed, schedule.queued)
    if schedule.queued is not None and schedule.queued.order is not None:
        desk.release()
    return desk.decided(now) if desk.runs else schedule


def fire(schedule: Schedule, now: datetime, order: str, standing: Standing) -> tuple[Schedule, Run]:
    """Say what becomes of a person's order to begin one now; paused or not, by the same overlap policy and budget.

    One that is skipped is no decision: the schedule stays as it is, and the person is told.
    """
    desk = _Desk(schedule, standing.running, standing.committed, schedule.queued)
    desk.release()
    desk.take(Run(now, Outcome.FIRED, order=order))
    run = desk.runs[-1]
    return (schedule if run.outcome is Outcome.SKIPPED else desk.decided(now)), run


def pause(schedule: Schedule, now: datetime, reason: str = "") -> Schedule:
    """From here on the clock begins nothing; what waited in the queue is left out."""
    emptied = _without_queue(schedule, now, Reason.PAUSED)
    why = reason or schedule.pause_reason
    return replace(emptied, paused_at=schedule.paused_at or now, pause_reason=why, next_at=None)


def restored(schedule: Schedule, now: datetime, reason: str) -> Schedule:
    """It came out of a backup: what is due, waits or was decided may have begun since, so a person looks first."""
    return pause(replace(carried_out(schedule), queued=None), now, reason)


def resume(schedule: Schedule, now: datetime) -> Schedule:
    """Go on with the next tick; those of the pause are neither caught up nor counted as missed."""
    if schedule.paused_at is None:
        return schedule
    return replace(schedule, paused_at=None, pause_reason="", next_at=schedule.cron.after(now))


def retimed(schedule: Schedule, cron: Cron, now: datetime) -> Schedule:
    """Follow another cron expression or time zone, from now on."""
    if cron == schedule.cron:
        return schedule
    return replace(schedule, cron=cron, next_at=cron.after(now) if schedule.paused_at is None else None)


def with_overlap(schedule: Schedule, overlap: Overlap, now: datetime) -> Schedule:
    """Follow another overlap policy; only that of the queue has one."""
    kept = schedule if overlap is Overlap.QUEUE else _without_queue(schedule, now, Reason.OVERLAP)
    return replace(kept, overlap=overlap)


def carried_out(schedule: Schedule) -> Schedule:
    return replace(schedule, decided=(), decided_at=None)


def _without_queue(schedule: Schedule, now: datetime, why: Reason) -> Schedule:
    if schedule.queued is None:
        return schedule
    left = replace(schedule.queued, outcome=Outcome.SKIPPED, reason=why)
    return replace(schedule, queued=None, decided=(*schedule.decided, left), decided_at=now, last_run=left)


def _ticks(schedule: Schedule, now: datetime) -> tuple[Run | None, Sequence[datetime], datetime | None]:
    """The ticks that are too late as one line, those to be decided on, and the first that is not due yet."""
    if schedule.next_at is None or schedule.next_at > now:
        return None, (), schedule.next_at
    window = now - schedule.catch_up
    late, due = None, list[datetime]()
    ticks = chain([schedule.next_at], schedule.cron.since(schedule.next_at))
    if schedule.next_at < window:
        late, ticks = _missed(ticks, window, schedule)
    for at in ticks:
        if at > now:
            return late, due, at
        due.append(at)
    return late, due, None


def _missed(ticks: Iterator[datetime], window: datetime, schedule: Schedule) -> tuple[Run, Iterator[datetime]]:
    """One line for all ticks before the window, and the ticks from there. A long absence is not counted to its end."""
    first = last = next(ticks)
    count = 1
    for at in ticks:
        if at >= window:
            return Run(first, Outcome.MISSED, Reason.CATCH_UP, last, count), chain([at], ticks)
        last, count = at, count + 1
        if count >= MOST_COUNTED:
            break
    following = schedule.cron.since(window - timedelta(microseconds=1))
    return Run(first, Outcome.MISSED, Reason.CATCH_UP, last, count), following
