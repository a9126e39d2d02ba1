"""A session's history, as JSON and as server-sent events."""

from collections.abc import Mapping
from typing import Any

from ekiden_gateway.models.parts import HistoryEntry, HistoryEvent

EVENT_NAME = "session"


def entry(document: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        id=document["version"],
        at=document["at"],
        cause=document["cause"],
        status=document["status"],
        waiting_reason=document["waitingReason"],
        phase=document["phase"],
        step=document["step"],
        events=[HistoryEvent.model_validate(event) for event in document["events"]],
    )


def server_sent(document: Mapping[str, Any]) -> bytes:
    """One event of a stream; its id is the session's version."""
    shown = entry(document)
    return f"id: {shown.id}\nevent: {EVENT_NAME}\ndata: {shown.model_dump_json(by_alias=True)}\n\n".encode()
