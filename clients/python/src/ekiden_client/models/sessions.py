"""A session: as created, in a list, as a whole, and after a command."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document, Inputs
from ekiden_client.models.forecast import Forecast
from ekiden_client.models.gates import GateTimeout
from ekiden_client.models.money import Cost
from ekiden_client.models.words import ENDED, FOR_A_PERSON, Status, StatusWord, StepWord, WaitingWord


class Failure(Document):
    """Why a session failed."""

    error: str = ""
    message: str = ""
    task_id: str | None = None


class SessionState(Document):
    """Where a session stands: what its line in a list, its document and its status have in common."""

    id: str
    status: StatusWord
    waiting_reason: WaitingWord | None = None
    current_phase: int | None = None
    current_step: StepWord | None = None
    workflow: str = ""
    failure: Failure | None = None
    next_retry_at: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    moved_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether it has completed, failed or been cancelled."""
        return self.status in ENDED

    @property
    def waits_for_a_person(self) -> bool:
        return self.status == Status.WAITING and self.waiting_reason in FOR_A_PERSON

    @property
    def stopped(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.ended or self.waits_for_a_person

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, however it did; None while it has not."""
        return (self.completed_at or self.moved_at) if self.ended else None


class SessionSummary(SessionState):
    """A session without its results, as lists have it."""

    id: str = Field(alias="sessionId")
    language: str = ""
    input: Inputs = Field(default_factory=dict[str, str | int | bool | tuple[str, ...]])
    metadata: Mapping[str, str] = Field(default_factory=dict[str, str])
    cost: Cost = Cost()
    parent: str | None = None
    replay_of: str | None = None
    schedule_id: str | None = None
    scheduled_at: datetime | None = None


class StepResult(Document):
    """A step that was entered: how often it was ordered, its tasks, and its result."""

    phase: int
    step: StepWord
    generation: int = 1
    task_ids: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    fallback: int = 0
    fallback_reason: str | None = None
    flags: tuple[str, ...] = ()
    result: Any = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class FoundSource(Document):
    """A page that a search returned; results and drafts name it by its id."""

    source_id: str
    url: str
    title: str = ""
    date: str | None = None
    question: str = ""
    phase: int = 1


class Session(SessionSummary):
    """A session with everything it found so far; `version` counts its transitions."""

    version: int
    retry_count: int = 0
    auto_advance: bool = True
    pause_after_phases: tuple[int, ...] = ()
    pause_before: tuple[str, ...] = ()
    gate_timeout: GateTimeout | None = None
    webhook_url: str | None = None
    webhook_id: str | None = None
    edited: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict[str, tuple[Any, ...]])
    steps: tuple[StepResult, ...] = ()
    sources: tuple[FoundSource, ...] = ()


class CreatedSession(Document):
    """A session that was just created; `status` is PENDING, or what starting it led to."""

    id: str = Field(alias="sessionId")
    status: StatusWord
    workflow: str = ""
    language: str = ""
    input: Inputs = Field(default_factory=dict[str, str | int | bool | tuple[str, ...]])
    budget_usd: float = 0.0
    created_at: datetime
    parent: str | None = None
    webhook_id: str | None = None
    url: str = ""


class SessionCounts(Document):
    """How many sessions are in each status."""

    total: int = 0
    pending: int = 0
    thinking: int = 0
    executing: int = 0
    integrating: int = 0
    waiting: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class CommandResult(Document):
    """Where a session stands after a command; `changed` is False when there was nothing to do."""

    id: str = Field(alias="sessionId")
    phase: int | None = None
    step: StepWord | None = None
    task_ids: tuple[str, ...] = ()
    status: StatusWord
    waiting_reason: WaitingWord | None = None
    changed: bool = True
    parent: str | None = None


class DryRun(Document):
    """What a command would do. Nothing was done; `status` is what the session's would become."""

    id: str = Field(alias="sessionId")
    dry_run: bool = True
    would_change: bool
    status: StatusWord
    waiting_reason: WaitingWord | None = None
    phase: int | None = None
    step: StepWord | None = None
    forecast: Forecast
