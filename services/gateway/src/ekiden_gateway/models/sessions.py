"""Answers about a session: as created, in a list, as a whole, and how far it is."""

from datetime import datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from ekiden.domain.ids import Step
from ekiden.domain.messages import TaskStatus
from ekiden.domain.session import GateDefault, InputValue, Status, WaitingReason
from ekiden_gateway.models.forecast import ForecastAnswer, Gate
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TASK, EXAMPLE_TIME, Answered, TaskType

_COST: JsonDict = {"spentUsd": 0.031, "reservedUsd": 0.18, "budgetUsd": 1.0, "savedUsd": 0.0}


class Cost(Answered):
    model_config = ConfigDict(json_schema_extra={"examples": [_COST]})

    spent_usd: float = Field(description="What the ended calls cost")
    reserved_usd: float = Field(description="Set aside for calls under way")
    budget_usd: float
    saved_usd: float = Field(description="What the search cache saved")


class CreatedSession(Answered):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sessionId": EXAMPLE_SESSION,
                    "status": "PENDING",
                    "workflow": "viral-content@0123456789abcdef",
                    "language": "ja",
                    "input": {"theme": "AIと働き方", "style": "insight", "platform": "twitter"},
                    "budgetUsd": 1.0,
                    "createdAt": EXAMPLE_TIME,
                    "parent": None,
                    "webhookId": None,
                    "url": f"/api/viral/cot-session/{EXAMPLE_SESSION}",
                }
            ]
        }
    )

    session_id: str
    status: Status = Field(description="PENDING, or with `start` what starting it led to")
    workflow: str
    language: str
    input: dict[str, InputValue]
    budget_usd: float
    created_at: datetime
    parent: str | None
    webhook_id: str | None = Field(description="The webhook of `webhookUrl`: its log, and its secret when rotated")
    url: str


class Failure(Answered):
    error: str = Field(examples=["RateLimited"])
    message: str = Field(examples=["The provider asked us to slow down."])
    task_id: str | None = Field(examples=[EXAMPLE_TASK])


class SessionSummary(Answered):
    """A session without its results."""

    session_id: str = Field(examples=[EXAMPLE_SESSION])
    status: Status = Field(examples=["EXECUTING"])
    waiting_reason: WaitingReason | None = None
    workflow: str = Field(examples=["viral-content@0123456789abcdef"])
    language: str = Field(examples=["ja"])
    input: dict[str, InputValue]
    metadata: dict[str, str]
    current_phase: int | None = Field(examples=[1])
    current_step: Step | None = Field(examples=["EXECUTE"])
    cost: Cost
    parent: str | None = None
    replay_of: str | None = Field(default=None, description="The session whose recorded answers it runs on")
    schedule_id: str | None = Field(default=None, description="The schedule that began it")
    scheduled_at: datetime | None = Field(default=None, description="The tick it was begun for")
    failure: Failure | None = None
    next_retry_at: datetime | None = None
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    started_at: datetime | None = None
    moved_at: datetime | None = None
    completed_at: datetime | None = None


class SessionPage(Answered):
    items: list[SessionSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for what follows; null at the end")


class SessionCounts(Answered):
    """How many sessions you have, by status."""

    total: int
    pending: int
    thinking: int
    executing: int
    integrating: int
    waiting: int
    completed: int
    failed: int
    cancelled: int


class StepAnswer(Answered):
    """A step that was entered: how often it was ordered, its tasks, and its result."""

    phase: int = Field(examples=[1])
    step: Step = Field(examples=["THINK"])
    generation: int = Field(examples=[1])
    task_ids: list[str]
    missing: list[int] = Field(description="Items of a fan-out that the step went on without")
    fallback: int = Field(description="How many of those the step names were asked before, and failed", examples=[0])
    fallback_reason: str | None = Field(examples=["ProviderUnavailable: 503 overloaded"])
    flags: list[str] = Field(
        description="What the checks found in the result, as `kind:place`", examples=[["no_sources:topics[0].evidence"]]
    )
    result: object | None
    started_at: datetime | None
    finished_at: datetime | None


class SourceAnswer(Answered):
    """A page that a search of the session returned. Results and drafts name it by its id."""

    source_id: str = Field(examples=["S1"])
    url: str = Field(examples=["https://news.example.jp/articles/1"])
    title: str
    date: str | None = Field(description="As the search gave it; null when it gave none", examples=["2026-11-20"])
    question: str = Field(description="What was asked when it was found")
    phase: int = Field(examples=[1])


class GateTimeoutAnswer(Answered):
    after_seconds: int
    then: GateDefault


class SessionAnswer(SessionSummary):
    """The session with everything it found so far."""

    version: int = Field(description="Counts the transitions; the id of its newest event", examples=[7])
    retry_count: int
    auto_advance: bool
    pause_after_phases: list[int]
    pause_before: list[str]
    gate_timeout: GateTimeoutAnswer | None = Field(description="null: gates wait for ever")
    webhook_url: str | None
    webhook_id: str | None
    edited: dict[str, list[object]] = Field(description="Items a person put in place of the planned ones, by step")
    steps: list[StepAnswer]
    sources: list[SourceAnswer] = Field(description="What its searches returned so far, in the order found")


class CommandAnswer(Answered):
    """Where a session stands after a person's command. `changed` is false when there was nothing to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sessionId": EXAMPLE_SESSION,
                    "phase": 1,
                    "step": "THINK",
                    "taskIds": [f"{EXAMPLE_SESSION}.1T.g1.0"],
                    "status": "THINKING",
                    "waitingReason": None,
                    "changed": True,
                }
            ]
        }
    )

    session_id: str
    phase: int | None
    step: Step | None
    task_ids: list[str] = Field(description="What it waits for")
    status: Status
    waiting_reason: WaitingReason | None
    changed: bool
    parent: str | None = None


class DryRunAnswer(Answered):
    """What a command would do; nothing was done."""

    session_id: str = Field(examples=[EXAMPLE_SESSION])
    dry_run: bool = True
    would_change: bool
    status: Status = Field(description="What the session's status would become", examples=["EXECUTING"])
    waiting_reason: WaitingReason | None
    phase: int | None
    step: Step | None
    forecast: ForecastAnswer


# ── async-status ─────────────────────────────────────────────────────────────────────────────────────────


class StatusSession(Answered):
    id: str = Field(examples=[EXAMPLE_SESSION])
    status: Status = Field(examples=["EXECUTING"])
    waiting_reason: WaitingReason | None
    current_phase: int | None
    current_step: Step | None
    workflow: str
    version: int
    retry_count: int
    next_retry_at: datetime | None
    failure: Failure | None
    created_at: datetime
    started_at: datetime | None
    moved_at: datetime | None
    completed_at: datetime | None


class Timestamps(Answered):
    started_at: datetime | None
    finished_at: datetime | None


class PhaseStatus(Answered):
    """`hasThink` and its like: whether the step has its result."""

    number: int = Field(examples=[1])
    name: str = Field(examples=["trend_research"])
    title: str = Field(examples=["トレンド調査"])
    status: Status = Field(examples=["EXECUTING"])
    has_think: bool
    has_execute: bool
    has_integrate: bool
    timestamps: Timestamps
    generation: int


class TaskCounts(Answered):
    total: int
    queued: int
    processing: int
    submitted: int
    completed: int
    failed: int
    outcome_unknown: int
    cancelled: int


class TaskBrief(Answered):
    id: str = Field(examples=[EXAMPLE_TASK])
    type: TaskType = Field(examples=["PERPLEXITY_SEARCH"])
    provider: str = Field(examples=["perplexity"])
    model: str | None = Field(description="Who answered; until then the one its step names, if it names one")
    fallback_reason: str | None = Field(description="Why it is asked in place of another; null when it was the first")
    phase_number: int
    step_name: Step
    status: TaskStatus
    retry_count: int
    cost_usd: float
    error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class AsyncTasks(Answered):
    summary: TaskCounts
    current: list[TaskBrief] = Field(description="What the session waits for")
    recent: list[TaskBrief] = Field(description="What ended last, newest first")


class Progress(Answered):
    completed_phases: int
    total_phases: int
    percentage: int = Field(ge=0, le=100)
    estimated_seconds_remaining: float | None = Field(description="null while no call was measured")


class NextAction(Answered):
    action: str = Field(examples=["wait"])
    message: str
    url: str | None = Field(description="Where to say it; null when there is nothing to say")


class AsyncStatus(Answered):
    session: StatusSession
    phases: list[PhaseStatus]
    async_tasks: AsyncTasks
    progress: Progress
    cost: Cost
    next_action: NextAction
    simulated: bool = Field(description="true when any of its answers came from the simulator")
    gate: Gate | None = Field(default=None, description="The gate it stands at; `url` shows it whole")
