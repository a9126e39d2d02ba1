"""What a schedule has begun, and what it will begin."""

from datetime import datetime

from pydantic import Field

from ekiden.domain.schedule import Outcome
from ekiden.domain.session import Status
from ekiden_gateway.models.forecast import CallsAnswer
from ekiden_gateway.models.schedules import EXAMPLE_SCHEDULE, RunSummary, SchedulerAnswer
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TIME, Answered

EXAMPLE_RUN = "run_0199c0ffee0077778888999900001111"


class FiredAnswer(Answered):
    """What became of a person's order. `queued`: it begins when the session that runs is over."""

    schedule_id: str = Field(examples=[EXAMPLE_SCHEDULE])
    run_id: str = Field(examples=[EXAMPLE_RUN])
    at: datetime = Field(examples=[EXAMPLE_TIME])
    outcome: Outcome = Field(examples=["fired"])
    session_id: str | None = Field(examples=[EXAMPLE_SESSION])
    url: str | None = Field(examples=[f"/api/viral/cot-session/{EXAMPLE_SESSION}"])
    scheduler: SchedulerAnswer


class RunAnswer(RunSummary):
    """A line of the record: one tick, or several in a row that were left out for the same reason."""

    run_id: str = Field(examples=[EXAMPLE_RUN])
    last_at: datetime | None = Field(description="The last of several ticks")
    ticks: int = Field(examples=[1])
    by_hand: bool = Field(description="Whether a person ordered it")
    decided_at: datetime = Field(examples=[EXAMPLE_TIME])
    session_status: Status | None = Field(description="null before it stands, and after retention has removed it")
    spent_usd: float | None = Field(examples=[0.12])
    url: str | None = Field(examples=[f"/api/viral/cot-session/{EXAMPLE_SESSION}"])


class RunPage(Answered):
    items: list[RunAnswer]
    next_cursor: str | None = Field(description="Give it as `cursor` for what follows; null at the end")
    scheduler: SchedulerAnswer


class TickAnswer(Answered):
    at: datetime = Field(examples=[EXAMPLE_TIME])
    local: datetime = Field(description="The same in its time zone", examples=["2026-11-22T18:30:00.000+09:00"])


class MonthForecast(Answered):
    """The thirty days to come, if every tick begins a session: never more than the schedule's budget allows."""

    runs: int = Field(examples=[22])
    at_most_usd: float = Field(examples=[11.0])
    expected_usd: float | None = Field(description="At what its completed sessions of this month cost", examples=[2.64])


class ScheduleForecast(Answered):
    per_run: CallsAnswer = Field(description="The calls of one session, and the most they may cost once each")
    average_usd: float | None = Field(
        description="What a completed session of this month cost; null before the first", examples=[0.12]
    )
    month: MonthForecast


class PreviewAnswer(Answered):
    schedule_id: str = Field(examples=[EXAMPLE_SCHEDULE])
    time_zone: str = Field(examples=["Asia/Tokyo"])
    explained: str = Field(examples=["At 09:00 on Monday through Friday"])
    ticks: list[TickAnswer]
    forecast: ScheduleForecast
    scheduler: SchedulerAnswer
