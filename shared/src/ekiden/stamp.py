"""Ids and times are stamped at the edge, where a thing is made or sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from uuid_utils import uuid7

from ekiden.clock import Clock
from ekiden.domain.ids import ScheduleId, SessionId


class StampFields(TypedDict):
    message_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Stamp:
    clock: Clock

    def fields(self) -> StampFields:
        return {"message_id": str(uuid7()), "sent_at": self.clock.now()}

    def session_id(self) -> SessionId:
        """A new session's id: its beginning is the time, so that ids sort roughly by age."""
        return SessionId(f"ses_{uuid7().hex}")

    def key_id(self) -> str:
        """A new API key's id, made like a session's."""
        return f"key_{uuid7().hex}"

    def schedule_id(self) -> ScheduleId:
        return ScheduleId(f"sch_{uuid7().hex}")
