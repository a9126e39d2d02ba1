"""How far a session is: `GET …/async-status`."""

from datetime import datetime

from ekiden_client.models.document import Document
from ekiden_client.models.gates import Gate
from ekiden_client.models.money import Cost
from ekiden_client.models.sessions import SessionState
from ekiden_client.models.tasks import TaskBrief
from ekiden_client.models.words import Status, StatusWord


class StatusSession(SessionState):
    """The head of a session in its status."""

    version: int = 0
    retry_count: int = 0


class Timestamps(Document):
    started_at: datetime | None = None
    finished_at: datetime | None = None


class PhaseStatus(Document):
    """One phase; `has_execute` says that the step has its result, not that there is such a step."""

    number: int
    name: str = ""
    title: str = ""
    status: StatusWord = Status.PENDING
    has_think: bool = False
    has_execute: bool = False
    has_integrate: bool = False
    generation: int = 0
    timestamps: Timestamps = Timestamps()


class TaskCounts(Document):
    total: int = 0
    queued: int = 0
    processing: int = 0
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    outcome_unknown: int = 0
    cancelled: int = 0


class AsyncTasks(Document):
    """What the session waits for, and what ended last."""

    summary: TaskCounts = TaskCounts()
    current: tuple[TaskBrief, ...] = ()
    recent: tuple[TaskBrief, ...] = ()


class Progress(Document):
    """`estimated_seconds_remaining` is None while no call was measured."""

    completed_phases: int = 0
    total_phases: int = 0
    percentage: int = 0
    estimated_seconds_remaining: float | None = None


class NextAction(Document):
    """What would help, in words; `url` is None when there is nothing to say."""

    action: str = ""
    message: str = ""
    url: str | None = None


class SessionStatus(Document):
    """How far a session is, what it costs, and what helps it on."""

    session: StatusSession
    phases: tuple[PhaseStatus, ...] = ()
    async_tasks: AsyncTasks = AsyncTasks()
    progress: Progress = Progress()
    cost: Cost = Cost()
    next_action: NextAction = NextAction()
    simulated: bool = False
    gate: Gate | None = None
