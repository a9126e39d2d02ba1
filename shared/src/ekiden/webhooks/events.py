"""What webhooks tell: one table, from what happened to a session to the kinds of events that receivers choose from.

Pure: a delivery is made from the session's history alone, however often and by however many orchestrators.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ekiden.domain.ids import SessionId

SESSION_PATH = "/api/viral/cot-session"
"""Where the gateway has its sessions; a test compares the two."""


class EventKind(StrEnum):
    """What a receiver may choose to hear of. `ping` comes only when it is asked for."""

    STARTED = "session.started"
    PHASE_COMPLETED = "session.phase_completed"
    WAITING = "session.waiting"
    COMPLETED = "session.completed"
    FAILED = "session.failed"
    CANCELLED = "session.cancelled"


PING = "ping"
KINDS: Mapping[str, EventKind] = {
    "SessionStarted": EventKind.STARTED,
    "PhaseCompleted": EventKind.PHASE_COMPLETED,
    "GateReached": EventKind.WAITING,
    "BudgetReached": EventKind.WAITING,
    "OutcomeUnknown": EventKind.WAITING,
    "SessionPaused": EventKind.WAITING,
    "SessionCompleted": EventKind.COMPLETED,
    "SessionFailed": EventKind.FAILED,
    "SessionCancelled": EventKind.CANCELLED,
}
"""By the type of an event in a session's history. What ends by itself, such as a scheduled retry, is not told."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell of a session. `at` is when it happened, on the database's clock."""

    kind: EventKind
    session_id: SessionId
    version: int
    at: datetime
    body: str

    def id_for(self, webhook_id: str) -> str:
        """Return the delivery's id, which is also the `webhook-id`: the same whoever makes it, and however often.

        With its time, because out of a backup the same version of a session may come a second time.
        """
        moment = int(self.at.timestamp() * 1000)
        name = f"{self.session_id}.{self.version}.{moment}.{self.kind}.{webhook_id}"
        return f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def told(session_id: SessionId, entry: Mapping[str, Any]) -> Iterator[Told]:
    """What an entry of a session's history tells, each kind once."""
    happened = {KINDS[event["type"]]: event for event in entry["events"] if event["type"] in KINDS}
    for kind, event in happened.items():
        data = {
            "sessionId": session_id,
            "status": entry["status"],
            "waitingReason": entry["waitingReason"],
            "phase": event["phase"] or entry["phase"],
            "step": event["step"] or entry["step"],
            "version": entry["version"],
            "url": f"{SESSION_PATH}/{session_id}",
        }
        yield Told(kind, session_id, entry["version"], entry["at"], body(kind, entry["at"], data))


def body(kind: str, at: datetime, data: Mapping[str, object]) -> str:
    """Write a payload: what is signed is exactly what is stored, sent and, on a replay, sent again."""
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": moment, "data": data}, ensure_ascii=False, separators=(",", ":"))
