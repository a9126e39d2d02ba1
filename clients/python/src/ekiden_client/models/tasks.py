"""The ledger: what was asked, sent, answered and paid."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document
from ekiden_client.models.words import StepWord, TaskStatusWord, TaskTypeWord


class Submission(Document):
    """One sending of a task to its provider."""

    epoch: int = 0
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    run_id: str | None = None
    cost_usd: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    price: Any = None
    simulated: bool = False
    error: str | None = None
    message: str | None = None


class Lease(Document):
    """Who works on a task: `epoch` counts claims, `until` is None when nobody does."""

    epoch: int = 0
    until: datetime | None = None


class TaskError(Document):
    error: str = ""
    message: str = ""


class TaskState(Document):
    """What a task's line in a status and its document in the ledger have in common."""

    id: str
    type: TaskTypeWord = ""
    provider: str = ""
    model: str | None = None
    fallback_reason: str | None = None
    phase_number: int = 0
    step_name: StepWord = ""
    status: TaskStatusWord
    retry_count: int = 0
    cost_usd: float = 0.0
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class TaskBrief(TaskState):
    """A task as a session's status tells of it."""

    error: str | None = None


class Task(TaskState):
    """A task as the ledger keeps it, with every submission."""

    session_id: str = ""
    generation: int = 1
    index: int = 0
    request: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    response: Any = None
    result: Any = None
    error: TaskError | None = None
    not_before: datetime | None = None
    run_id: str | None = None
    lease: Lease = Lease()
    submissions: tuple[Submission, ...] = ()
    cap_usd: float = 0.0
    at_risk_usd: float = 0.0
    saved_usd: float = 0.0
    cached_from: str | None = None
    flags: tuple[str, ...] = ()
    simulated: bool = False


class TaskList(Document):
    tasks: tuple[Task, ...] = ()
