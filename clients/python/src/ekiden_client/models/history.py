"""What happened to a session."""

from datetime import datetime

from pydantic import Field

from ekiden_client.models.document import Document
from ekiden_client.models.words import ENDED, FOR_A_PERSON, ActorWord, Status, StatusWord, StepWord, WaitingWord


class Event(Document):
    """One event of a transition."""

    type: str
    phase: int | None = None
    step: str | None = None
    detail: str = ""


class Said(Document):
    """Who said something to a session; of a link, the name is what was given, and nobody has checked it."""

    kind: ActorWord
    name: str = ""


class Entry(Document):
    """One transition of a session; `version` numbers them without a gap and is the id of the live event.

    `by` is None for what followed by itself.
    """

    version: int = Field(alias="id")
    at: datetime
    cause: str = ""
    status: StatusWord
    waiting_reason: WaitingWord | None = None
    phase: int | None = None
    step: StepWord | None = None
    events: tuple[Event, ...] = ()
    by: Said | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def stopped(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.ended or (self.status == Status.WAITING and self.waiting_reason in FOR_A_PERSON)


class EventList(Document):
    events: tuple[Entry, ...] = ()
