"""Answers about a session's own parts: tasks, events and drafts; and about workflows."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from ekiden.domain.ids import Step
from ekiden.domain.messages import TaskStatus
from ekiden.domain.session import InputValue, Status, WaitingReason
from ekiden.store.sessions import ActorKind
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TASK, EXAMPLE_TIME, Answered, TaskType


class SubmissionAnswer(Answered):
    """One sending of a task to its provider."""

    epoch: int = Field(examples=[1])
    sent_at: datetime = Field(examples=[EXAMPLE_TIME])
    ended_at: datetime | None = None
    outcome: str = Field(examples=["completed"])
    run_id: str | None = None
    cost_usd: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    price: object | None = Field(default=None, description="The price table's row the cost was made with")
    simulated: bool = False
    error: str | None = None
    message: str | None = None


class Lease(Answered):
    epoch: int = Field(description="Counts claims", examples=[1])
    until: datetime | None = Field(description="Until when a worker holds it; null when nobody does")


class TaskError(Answered):
    error: str = Field(examples=["RunFailed"])
    message: str


class TaskAnswer(Answered):
    """A task as the ledger keeps it."""

    id: str = Field(examples=[EXAMPLE_TASK])
    type: TaskType = Field(examples=["PERPLEXITY_SEARCH"], description="Whether a text is written or a search made")
    provider: str = Field(examples=["perplexity"])
    model: str | None = Field(description="Who answered; until then the one its step names, if it names one")
    fallback_reason: str | None = Field(description="Why it is asked in place of another; null when it was the first")
    session_id: str = Field(examples=[EXAMPLE_SESSION])
    phase_number: int = Field(examples=[1])
    step_name: Step = Field(examples=["EXECUTE"])
    generation: int
    index: int
    request: dict[str, object]
    response: object | None
    result: object | None
    status: TaskStatus = Field(examples=["COMPLETED"])
    retry_count: int
    error: TaskError | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    not_before: datetime | None
    run_id: str | None
    lease: Lease
    submissions: list[SubmissionAnswer]
    cost_usd: float
    cap_usd: float
    at_risk_usd: float = Field(description="What resending it may cost a second time, while its outcome is unknown")
    saved_usd: float
    cached_from: str | None
    flags: list[str]
    simulated: bool


class TaskList(Answered):
    tasks: list[TaskAnswer]


class HistoryEvent(Answered):
    type: str = Field(examples=["StepCompleted"])
    phase: int | None
    step: str | None
    detail: str


class Said(Answered):
    """Who said something to a session.

    key: its name is that of the key. link: somebody with the link of a gate, by the name he gave. timeout: nobody did.
    """

    kind: ActorKind = Field(examples=["key"])
    name: str = Field(examples=["local"])


class HistoryEntry(Answered):
    """One transition: its number is the session's version, and the id of the event in a stream."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 2,
                    "at": EXAMPLE_TIME,
                    "cause": "Look",
                    "status": "EXECUTING",
                    "waitingReason": None,
                    "phase": 1,
                    "step": "EXECUTE",
                    "events": [
                        {"type": "StepCompleted", "phase": 1, "step": "THINK", "detail": ""},
                        {"type": "StepStarted", "phase": 1, "step": "EXECUTE", "detail": ""},
                    ],
                }
            ]
        }
    )

    id: int
    at: datetime
    cause: str = Field(description="What was said to the session", examples=["Look"])
    status: Status
    waiting_reason: WaitingReason | None
    phase: int | None
    step: Step | None
    events: list[HistoryEvent]
    by: Said | None = Field(default=None, description="Whose word it was; null: nobody's, it followed by itself")


class EventList(Answered):
    events: list[HistoryEntry]


class DraftStatus(StrEnum):
    DRAFT = "DRAFT"
    EDITED = "EDITED"
    SCHEDULED = "SCHEDULED"
    POSTED = "POSTED"
    ARCHIVED = "ARCHIVED"


class DraftAnswer(Answered):
    """A draft; which of the fields it has, its workflow says."""

    model_config = ConfigDict(extra="allow")

    concept_number: int = Field(examples=[1])
    status: DraftStatus = Field(examples=["DRAFT"])
    revision: int = Field(description="Counts a person's changes; the `ETag` of the draft has it", examples=[0])
    edited_content: str | None
    flags: list[str] = Field(
        description="What the checks found and repaired, as `kind:field`", examples=[["foreign_url_removed:content"]]
    )
    simulated: bool = Field(description="true when it rests on answers of the simulator")
    created_at: datetime
    edited_at: datetime | None


class DraftList(Answered):
    session_id: str = Field(examples=[EXAMPLE_SESSION])
    status: Status = Field(examples=["COMPLETED"])
    drafts: list[DraftAnswer]
    total_drafts: int
    created_at: datetime
    completed_at: datetime | None


class InputAnswer(Answered):
    type: Literal["string", "integer", "boolean", "list"] = Field(description="`list` is a list of strings")
    required: bool
    default: InputValue
    enum: list[str | int] | None
    max_length: int = Field(description="Characters of a text, or of each item of a list")
    minimum: int
    maximum: int
    max_items: int


class GatesAnswer(Answered):
    """Where a session waits for a person when it says nothing else."""

    pause_after_phases: list[int]
    pause_before: list[str] = Field(examples=[["1.EXECUTE"]])


class WorkflowPhase(Answered):
    number: int
    name: str = Field(examples=["trend_research"])
    title: dict[str, str]
    steps: list[str] = Field(examples=[["1.THINK", "1.EXECUTE", "1.INTEGRATE"]])


class WorkflowAnswer(Answered):
    id: str = Field(examples=["viral-content@0123456789abcdef"])
    name: str = Field(examples=["viral-content"])
    version: int
    title: dict[str, str]
    description: dict[str, str]
    languages: list[str]
    inputs: dict[str, InputAnswer]
    budget_usd: float
    gates: GatesAnswer
    phases: list[WorkflowPhase]
    drafts: int


class WorkflowPage(Answered):
    items: list[WorkflowAnswer]
    next_cursor: str | None = None
