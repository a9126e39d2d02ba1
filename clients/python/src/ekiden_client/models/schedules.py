"""Schedules: what begins by the clock, and what became of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document, Page, Tagged
from ekiden_client.models.forecast import Calls
from ekiden_client.models.words import OutcomeWord, OverlapWord, ReasonWord, ScheduleWord, StatusWord


class Scheduler(Document):
    """Whether anything begins by the clock: an orchestrator with `EKIDEN_SCHEDULER=on` said so a moment ago."""

    on: bool = False
    last_seen_at: datetime | None = None
    message: str = ""


class RunSummary(Document):
    """What became of a tick."""

    at: datetime
    outcome: OutcomeWord
    reason: ReasonWord | None = None
    session_id: str | None = None


class Run(RunSummary):
    """What became of a tick, or of `ticks` that were missed until `last_at`, and of the session it began."""

    run_id: str
    last_at: datetime | None = None
    ticks: int = 1
    by_hand: bool = False
    decided_at: datetime
    session_status: StatusWord | None = None
    spent_usd: float | None = None
    url: str | None = None


class RunPage(Page[Run]):
    scheduler: Scheduler = Scheduler()


class ScheduleSummary(Tagged):
    """A schedule, as lists have it; `explained` says its cron expression in words."""

    id: str = Field(alias="scheduleId")
    name: str
    status: ScheduleWord
    cron: str
    explained: str = ""
    time_zone: str = ""
    overlap: OverlapWord = ""
    catch_up_seconds: int = 0
    budget_usd: float | None = None
    session_budget_usd: float = 0.0
    workflow: str = ""
    next_at: datetime | None = None
    next_local: datetime | None = None
    queued_at: datetime | None = None
    last_run: RunSummary | None = None
    paused_at: datetime | None = None
    pause_reason: str | None = None
    created_at: datetime
    updated_at: datetime | None = None
    url: str = ""


class SchedulePage(Page[ScheduleSummary]):
    scheduler: Scheduler = Scheduler()


class Month(Document):
    """The money of this month; `committed_usd` is what the sessions that run may still spend, too."""

    began_at: datetime
    sessions: int = 0
    spent_usd: float = 0.0
    committed_usd: float = 0.0
    budget_usd: float | None = None


class Schedule(ScheduleSummary):
    """A schedule with the body it creates sessions with, those that run, and its money."""

    session: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    running: tuple[str, ...] = ()
    month: Month | None = None
    scheduler: Scheduler = Scheduler()


class Fired(Document):
    """What a schedule began by hand; with the outcome `queued` the session begins when the one before has ended."""

    schedule_id: str
    run_id: str
    at: datetime
    outcome: OutcomeWord
    session_id: str | None = None
    url: str | None = None
    scheduler: Scheduler = Scheduler()


class Tick(Document):
    at: datetime
    local: datetime


class MonthForecast(Document):
    """Thirty days: `expected_usd` is None as long as no session of the schedule has ended."""

    runs: int = 0
    at_most_usd: float = 0.0
    expected_usd: float | None = None


class ScheduleForecast(Document):
    per_run: Calls = Calls()
    average_usd: float | None = None
    month: MonthForecast = MonthForecast()


class Preview(Document):
    """The next ticks, in UTC and on the clocks of the zone, and what they may cost."""

    schedule_id: str
    time_zone: str = ""
    explained: str = ""
    ticks: tuple[Tick, ...] = ()
    forecast: ScheduleForecast = ScheduleForecast()
    scheduler: Scheduler = Scheduler()
