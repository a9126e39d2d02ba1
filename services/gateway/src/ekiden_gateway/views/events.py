"""A session's history, as JSON and as server-sent events; and the counts of an owner's sessions."""

import random
from collections.abc import Mapping
from typing import Any

from fastapi.sse import format_sse_event

from ekiden.domain.session import Status
from ekiden.store.sessions import Counted
from ekiden_gateway.models.parts import HistoryEntry, HistoryEvent, Said
from ekiden_gateway.models.sessions import SessionCounts

RECONNECT_MS = (500, 2000)
"""Between these, so that the listeners of a gateway that was restarted do not all come back in one moment."""
HEARTBEAT = format_sse_event(comment="still here")
END = format_sse_event(event="end", data_str="{}")
"""The last event of a session that is over. It has no id: whoever comes back names the last transition."""


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
        by=Said.model_validate(document["by"]) if document.get("by") else None,
    )


def opening() -> bytes:
    """How a stream begins: when to come back after it broke off, each listener at a time of its own."""
    return format_sse_event(retry=random.randint(*RECONNECT_MS))  # noqa: S311 - it spreads load and guards nothing


def transition(document: Mapping[str, Any]) -> bytes:
    """One entry of the history as an event; its id is the session's version."""
    shown = entry(document)
    return format_sse_event(id=str(shown.id), event="session", data_str=shown.model_dump_json(by_alias=True))


def counts(counted: Mapping[Status, Counted]) -> SessionCounts:
    of = {status.lower(): counted[status].sessions if status in counted else 0 for status in Status}
    return SessionCounts(total=sum(of.values()), **of)


def counted(present: Mapping[Status, Counted]) -> bytes:
    return format_sse_event(event="counts", data_str=counts(present).model_dump_json(by_alias=True))
