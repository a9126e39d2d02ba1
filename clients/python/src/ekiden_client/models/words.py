"""The closed sets of the API. They may grow: a word that this client does not know stays a text, and nothing breaks."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field


class Status(StrEnum):
    """Where a session stands."""

    PENDING = "PENDING"
    THINKING = "THINKING"
    EXECUTING = "EXECUTING"
    INTEGRATING = "INTEGRATING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class WaitingReason(StrEnum):
    """What a waiting session waits for. All but `RETRY`, which ends by a date, are ended by a person."""

    APPROVAL = "approval"
    BUDGET = "budget"
    OUTCOME_UNKNOWN = "outcome_unknown"
    PAUSED = "paused"
    RETRY = "retry"


class Step(StrEnum):
    THINK = "THINK"
    EXECUTE = "EXECUTE"
    INTEGRATE = "INTEGRATE"


class TaskStatus(StrEnum):
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    CANCELLED = "CANCELLED"


class TaskType(StrEnum):
    GPT_COMPLETION = "GPT_COMPLETION"
    PERPLEXITY_SEARCH = "PERPLEXITY_SEARCH"


class DraftForm(StrEnum):
    """A text that drafts are taken away as."""

    MARKDOWN = "markdown"
    CSV = "csv"


class ReportForm(StrEnum):
    MARKDOWN = "markdown"
    HTML = "html"


class DraftStatus(StrEnum):
    DRAFT = "DRAFT"
    EDITED = "EDITED"
    SCHEDULED = "SCHEDULED"
    POSTED = "POSTED"
    ARCHIVED = "ARCHIVED"


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class ActorKind(StrEnum):
    """Who said something to a session: a key, somebody with a one-time link, or nobody, as time was up."""

    KEY = "key"
    LINK = "link"
    TIMEOUT = "timeout"


class GateDefault(StrEnum):
    """What becomes of a gate that nobody answers in time."""

    APPROVE = "approve"
    STOP = "stop"


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class EventKind(StrEnum):
    """What a webhook can be told."""

    STARTED = "session.started"
    PHASE_COMPLETED = "session.phase_completed"
    WAITING = "session.waiting"
    COMPLETED = "session.completed"
    FAILED = "session.failed"
    CANCELLED = "session.cancelled"


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class ScheduleStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


class Overlap(StrEnum):
    """What a tick does while a session of its schedule still runs."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """What became of a tick."""

    FIRED = "fired"
    QUEUED = "queued"
    SKIPPED = "skipped"
    MISSED = "missed"


class Reason(StrEnum):
    """Why a tick did not begin a session."""

    OVERLAP = "overlap"
    BUDGET = "budget"
    PAUSED = "paused"
    CATCH_UP = "catch_up"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
FOR_A_PERSON = frozenset(WaitingReason) - {WaitingReason.RETRY}

_KNOWN_FIRST = Field(union_mode="left_to_right")

StatusWord = Annotated[Status | str, _KNOWN_FIRST]
WaitingWord = Annotated[WaitingReason | str, _KNOWN_FIRST]
StepWord = Annotated[Step | str, _KNOWN_FIRST]
TaskStatusWord = Annotated[TaskStatus | str, _KNOWN_FIRST]
TaskTypeWord = Annotated[TaskType | str, _KNOWN_FIRST]
DraftStatusWord = Annotated[DraftStatus | str, _KNOWN_FIRST]
BreakerWord = Annotated[BreakerState | str, _KNOWN_FIRST]
ActorWord = Annotated[ActorKind | str, _KNOWN_FIRST]
GateDefaultWord = Annotated[GateDefault | str, _KNOWN_FIRST]
ScopeWord = Annotated[Scope | str, _KNOWN_FIRST]
EventWord = Annotated[EventKind | str, _KNOWN_FIRST]
DeliveryWord = Annotated[DeliveryStatus | str, _KNOWN_FIRST]
ScheduleWord = Annotated[ScheduleStatus | str, _KNOWN_FIRST]
OverlapWord = Annotated[Overlap | str, _KNOWN_FIRST]
OutcomeWord = Annotated[Outcome | str, _KNOWN_FIRST]
ReasonWord = Annotated[Reason | str, _KNOWN_FIRST]
