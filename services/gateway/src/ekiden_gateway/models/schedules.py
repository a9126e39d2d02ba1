"""Schedules: what people ask for, and what they are told of one."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from ekiden.domain.cron import LONGEST_EXPRESSION
from ekiden.domain.schedule import Outcome, Overlap, Reason
from ekiden_gateway.models.requests import CreateSession, Whole
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TIME, Answered, Asked

EXAMPLE_SCHEDULE = "sch_0199c0ffee0077778888999900001111"
_SESSION: JsonDict = {"theme": "AIと働き方", "style": "insight", "platform": "twitter", "budgetUsd": 0.5}

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
CronText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_EXPRESSION,
        description="Minute, hour, day of the month, month, day of the week, e.g. `0 9 * * MON-FRI`",
        json_schema_extra={"format": "cron"},
    ),
]
ZoneText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        description="Of the IANA database, e.g. `Asia/Tokyo`: whose clocks the expression is about",
        json_schema_extra={"format": "time-zone"},
    ),
]
Policy = Annotated[
    Overlap,
    Field(
        strict=False,
        description="What a tick does while a session of the schedule is not over. skip: nothing. queue: one waits, "
        "and begins when that is over; more are skipped. cancel: it takes the other's place",
    ),
]
Window = Annotated[
    Whole,
    Field(
        ge=60,
        le=7 * 86_400,
        description="Seconds. A tick that nobody could look at in time has its turn up to so much later; "
        "an older one is missed",
    ),
]
MonthUsd = Annotated[
    float,
    Field(
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        description="USD for all sessions it begins in a calendar month of its time zone. None begins that could pass "
        "it. null: no limit but the sessions' own",
    ),
]


class CreateSchedule(Asked):
    """`session` is what `create` takes; each tick begins a session of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Every working day",
                    "cron": "0 9 * * MON-FRI",
                    "timeZone": "Asia/Tokyo",
                    "overlap": "skip",
                    "catchUpSeconds": 3600,
                    "budgetUsd": 15.0,
                    "session": _SESSION,
                }
            ]
        }
    )

    name: Name
    cron: CronText
    time_zone: ZoneText
    overlap: Policy = Overlap.SKIP
    catch_up_seconds: Window = 3600
    budget_usd: MonthUsd | None = None
    session: CreateSession


class EditSchedule(Asked):
    """What shall be otherwise; `session` is replaced as a whole. Another expression or zone counts from now on."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "examples": [{"cron": "30 7 * * *"}, {"budgetUsd": 20.0}]}
    )

    name: Name = ""
    cron: CronText = ""
    time_zone: ZoneText = ""
    overlap: Policy = Overlap.SKIP
    catch_up_seconds: Window = 3600
    budget_usd: MonthUsd | None = None
    session: CreateSession = CreateSession()

    @model_validator(mode="after")
    def _something(self) -> "EditSchedule":
        if not self.model_fields_set:
            raise ValueError(
                f"name at least one of {', '.join(f.alias or '' for f in type(self).model_fields.values())}"
            )
        return self


class PauseSchedule(Asked):
    reason: str = Field(default="", max_length=500, description="Shown with it", examples=["Over the holidays"])


class SchedulerAnswer(Answered):
    """Whether schedules fire by the clock: an orchestrator with `EKIDEN_SCHEDULER=on` says so every few seconds."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"on": True, "lastSeenAt": EXAMPLE_TIME, "message": "Schedules fire."}]}
    )

    on: bool
    last_seen_at: datetime | None
    message: str


class RunSummary(Answered):
    """What became of a tick."""

    at: datetime = Field(examples=[EXAMPLE_TIME])
    outcome: Outcome
    reason: Reason | None = Field(
        description="overlap: a session of it was not over. budget: the month's money. "
        "paused: it waited when the schedule was paused. catch_up: too late"
    )
    session_id: str | None = Field(examples=[EXAMPLE_SESSION])


class ScheduleSummary(Answered):
    schedule_id: str = Field(examples=[EXAMPLE_SCHEDULE])
    name: str = Field(examples=["Every working day"])
    status: Literal["active", "paused"]
    cron: str = Field(examples=["0 9 * * MON-FRI"])
    explained: str = Field(description="The expression in English", examples=["At 09:00 on Monday through Friday"])
    time_zone: str = Field(examples=["Asia/Tokyo"])
    overlap: Overlap
    catch_up_seconds: int = Field(examples=[3600])
    budget_usd: float | None = Field(examples=[15.0])
    session_budget_usd: float = Field(description="The most that one session may cost", examples=[0.5])
    workflow: str = Field(
        description="The version its sessions begin with: the newest that a gateway has brought and that takes "
        "what it asks",
        examples=["viral-content@0123456789abcdef"],
    )
    next_at: datetime | None = Field(description="null while paused", examples=[EXAMPLE_TIME])
    next_local: datetime | None = Field(
        description="The same in its time zone", examples=["2026-11-22T18:30:00.000+09:00"]
    )
    queued_at: datetime | None = Field(description="The tick that waits for the session that runs")
    last_run: RunSummary | None
    paused_at: datetime | None
    pause_reason: str | None
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime | None
    url: str = Field(examples=[f"/api/schedules/{EXAMPLE_SCHEDULE}"])


class SchedulePage(Answered):
    items: list[ScheduleSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for what follows; null at the end")
    scheduler: SchedulerAnswer


class MonthAnswer(Answered):
    """The calendar month it is in the schedule's time zone."""

    began_at: datetime = Field(examples=[EXAMPLE_TIME])
    sessions: int = Field(examples=[12])
    spent_usd: float = Field(description="What they have cost", examples=[1.43])
    committed_usd: float = Field(
        description="The same, and all that those which are not over may still cost", examples=[1.9]
    )
    budget_usd: float | None = Field(examples=[15.0])


class ScheduleAnswer(ScheduleSummary):
    session: dict[str, object] = Field(description="As it was asked for", examples=[_SESSION])
    running: list[str] = Field(description="Its sessions that are not over", examples=[[EXAMPLE_SESSION]])
    month: MonthAnswer
    scheduler: SchedulerAnswer
