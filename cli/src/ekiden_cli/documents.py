"""What the gateway answers, as far as the command line reads it.

Readers are tolerant: unknown fields are kept, missing ones have defaults, so that versions can mix. `raw` gives back
what was received, for `--json`. Long, because it mirrors one interface, which is read as one.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
FOR_A_PERSON = frozenset({"approval", "budget", "outcome_unknown", "paused"})
"""The reasons of WAITING that only a person ends; `retry` ends by a date."""


class Step(StrEnum):
    THINK = "THINK"
    EXECUTE = "EXECUTE"
    INTEGRATE = "INTEGRATE"


class Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    @property
    def raw(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _or_empty(value: object) -> object:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_or_empty)]
"""A text that may also be null on the wire."""


class SessionState(Document):
    """The head of a session: in lists, in `async-status`, and in the session document."""

    id: str = Field(default="", validation_alias=AliasChoices("sessionId", "id"), serialization_alias="sessionId")
    status: str = "PENDING"
    waiting_reason: str | None = None
    current_phase: int | None = None
    current_step: str | None = None
    workflow: Text = ""
    input: Mapping[str, str] = Field(default_factory=dict[str, str])
    language: Text = ""
    version: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    moved_at: datetime | None = None
    completed_at: datetime | None = None
    next_retry_at: datetime | None = None
    failure: Mapping[str, Any] | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def waits_for_a_person(self) -> bool:
        return self.status == "WAITING" and self.waiting_reason in FOR_A_PERSON

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, however it did; None while it has not."""
        return (self.completed_at or self.moved_at) if self.ended else None


class Timestamps(Document):
    started_at: datetime | None = None
    finished_at: datetime | None = None


class PhaseState(Document):
    """One phase; `has_execute` says that the step has its result, not that there is such a step."""

    number: int
    name: str = ""
    title: Text = ""
    status: str = "PENDING"
    has_think: bool = False
    has_execute: bool = False
    has_integrate: bool = False
    generation: int = 0
    timestamps: Timestamps = Timestamps()


class TaskSummary(Document):
    total: int = 0
    queued: int = 0
    processing: int = 0
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    outcome_unknown: int = 0
    cancelled: int = 0


class Submission(Document):
    sent_at: datetime | None = None
    outcome: str = ""
    run_id: str | None = None
    error: str | None = None
    message: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None


class Task(Document):
    id: str = Field(default="", validation_alias=AliasChoices("id", "taskId"), serialization_alias="id")
    type: str = ""
    status: str = ""
    phase_number: int | None = None
    step_name: str | None = None
    run_id: str | None = None
    cost_usd: float | None = None
    at_risk_usd: float = 0.0
    simulated: bool = False
    submissions: tuple[Submission, ...] = ()


class AsyncTasks(Document):
    summary: TaskSummary = TaskSummary()
    current: tuple[Task, ...] = ()
    recent: tuple[Task, ...] = ()


class Progress(Document):
    completed_phases: int = 0
    total_phases: int = 5
    percentage: float = 0.0
    estimated_seconds_remaining: float | None = None


class Cost(Document):
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    budget_usd: float = 0.0
    saved_usd: float = 0.0


class NextAction(Document):
    action: Text = ""
    message: Text = ""
    url: Text = ""


class Calls(Document):
    """Calls by provider, the most they may cost, and how long they take; `seconds` None while none was measured."""

    calls: Mapping[str, int] = Field(default_factory=dict[str, int])
    at_most_usd: float = 0.0
    seconds: float | None = None


class Forecast(Document):
    """What a command would order, keep, cost and take."""

    tasks: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reserved_usd: float = 0.0
    cached: int = 0
    saved_usd: float = 0.0
    now: Calls = Calls()
    to_end: Calls = Calls()


class Gate(Document):
    """A gate before a fan-out: what waits behind it to be bought."""

    position: str = ""
    items: tuple[Any, ...] = ()
    forecast: Calls = Calls()
    cached: int = 0
    saved_usd: float = 0.0


class SessionStatus(Document):
    """`GET /{sessionId}/async-status`."""

    session: SessionState
    simulated: bool = False
    phases: tuple[PhaseState, ...] = ()
    async_tasks: AsyncTasks = AsyncTasks()
    progress: Progress = Progress()
    cost: Cost = Cost()
    next_action: NextAction | None = None
    gate: Gate | None = None


class Happening(Document):
    """One event of a history entry."""

    type: str
    phase: int | None = None
    step: str | None = None
    detail: Text = ""


class Entry(Document):
    """One transition of a session; `version` numbers them without a gap and is the id of the live event."""

    version: int = Field(validation_alias=AliasChoices("version", "id"), serialization_alias="id")
    at: datetime
    cause: Text = ""
    status: str = ""
    waiting_reason: str | None = None
    phase: int | None = None
    step: str | None = None
    events: tuple[Happening, ...] = ()


class Source(Document):
    title: Text = ""
    url: Text = ""
    date: Text = ""


class Kpi(Document):
    name: Text = ""
    target: Text = ""


class Draft(Document):
    """One draft. Other workflows may leave any of these out."""

    concept_number: int = 0
    title: Text = ""
    hook: Text = ""
    angle: Text = ""
    format: Text = ""
    content: Text = ""
    visual_guide: Text = ""
    timing: Text = ""
    hashtags: tuple[str, ...] | None = None
    news_source: Text = ""
    source_url: Text = ""
    sources: tuple[Source, ...] | None = None
    kpis: tuple[Kpi, ...] | None = None
    risk_assessment: Text = ""
    optimization_tips: tuple[str, ...] | None = None
    status: Text = ""
    edited_content: Text = ""
    flags: tuple[str, ...] = ()
    simulated: bool = False


class Drafts(Document):
    session_id: str = ""
    status: str = ""
    drafts: tuple[Draft, ...] = ()
    total_drafts: int = 0


class Evidence(Document):
    subject: Text = ""
    says: Text = ""


class Health(Document):
    is_healthy: bool = True
    summary: Text = ""
    issues: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    at_risk_usd: float = 0.0


class RecoveryAction(Document):
    action: str
    description: Text = ""
    forecast: Forecast | None = None


class Recovery(Document):
    """`GET /{sessionId}/recover`."""

    session_id: str = ""
    health: Health = Health()
    available_actions: tuple[RecoveryAction, ...] = ()


class Page(Document):
    """One page of sessions."""

    items: tuple[SessionState, ...] = ()
    next_cursor: str | None = None


class WorkflowPhase(Document):
    number: int
    steps: tuple[str, ...] = ()


class WorkflowHead(Document):
    """A workflow the gateway knows, as far as the relay is drawn from it."""

    id: str = ""
    phases: tuple[WorkflowPhase, ...] = ()
