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
