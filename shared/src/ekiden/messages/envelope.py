"""What goes over the wire: small frozen messages that carry ids, never blobs.

Readers ignore unknown fields and new fields have defaults, so that services restart in any order.
`tests/unit/messages/` keeps one sample of every message ever sent; each of them must still decode.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ekiden.domain.ids import SESSION_ID_PATTERN, SessionId, TaskId
from ekiden.domain.provider import Kind

SCHEMA_VERSION = 1


class Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    message_id: str
    sent_at: datetime

    def encode(self) -> bytes:
        return self.model_dump_json(by_alias=True).encode()


class Named(BaseModel):
    """A task and whose it is."""

    model_config = Envelope.model_config

    task_id: TaskId
    session_id: SessionId = Field(pattern=SESSION_ID_PATTERN)


class TaskMessage(Envelope):
    task_id: TaskId
    session_id: SessionId = Field(pattern=SESSION_ID_PATTERN)

    @property
    def tasks(self) -> Sequence["TaskMessage | Named"]:
        """Every task that this message is about."""
        return (self,)


class SharedMessage(TaskMessage):
    """About a task, and about those in `also`, of which there was to be told at the same moment.

    A reader that does not know `also` sees one; the reconciler finds the others.
    """

    also: tuple[Named, ...] = Field(default=(), exclude_if=lambda also: not also)

    @property
    def tasks(self) -> Sequence[TaskMessage | Named]:
        return (self, *self.also)


class GenerateText(SharedMessage):
    """To a worker of a provider that writes texts: there are tasks of yours."""

    type: Literal["GenerateText"] = "GenerateText"


class SearchWeb(TaskMessage):
    """To a worker of a provider that searches: there is a task of yours."""

    type: Literal["SearchWeb"] = "SearchWeb"


TASK_MESSAGES: Mapping[Kind, type[GenerateText] | type[SearchWeb]] = {Kind.TEXT: GenerateText, Kind.SEARCH: SearchWeb}


class TaskCompleted(SharedMessage):
    """Tasks have their answers: whoever waits for one of them should look."""

    type: Literal["TaskCompleted"] = "TaskCompleted"


class TaskFailed(TaskMessage):
    """A task ended without an answer, or nobody knows how: whoever waits for it should look."""

    type: Literal["TaskFailed"] = "TaskFailed"


class Moved(BaseModel):
    """A session and the version it has come to."""

    model_config = Envelope.model_config

    session_id: SessionId = Field(pattern=SESSION_ID_PATTERN)
    version: int


class SessionMoved(Envelope):
    """A session has a new version; its history says what happened. For live views only.

    So have those in `also`, which moved at the same moment and are of the same status now.
    """

    type: Literal["SessionMoved"] = "SessionMoved"
    session_id: SessionId = Field(pattern=SESSION_ID_PATTERN)
    version: int
    status: str
    also: tuple[Moved, ...] = Field(default=(), exclude_if=lambda also: not also)

    @property
    def sessions(self) -> Sequence["SessionMoved | Moved"]:
        """Every session that this message is about."""
        return (self, *self.also)
