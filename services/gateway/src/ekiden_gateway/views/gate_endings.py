"""What became of a gate, in a sentence for somebody who comes too late. Of a key it is not told which."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiden.domain.evidence import at
from ekiden.domain.session import WaitingReason
from ekiden.domain.told import Told, told
from ekiden.store.sessions import ActorKind

Entry = Mapping[str, Any]
_ENDS = {
    "Continue": told("This gate was passed"),
    "RestartPhase": told("The phase was run again"),
    "Cancel": told("The session was cancelled"),
}
_BY_ITSELF = {
    "GatePassed": told("Nobody had answered this gate in time: it was passed by itself"),
    "SessionCancelled": told("Nobody had answered this gate in time: the session was cancelled by itself"),
}


def ending(history: Sequence[Entry], number: int) -> Told:
    """How the wait at the `number`-th gate that a session came to has ended."""
    reached = next((place for place, entry in enumerate(history) if _reaches(entry, number)), None)
    after = history[reached + 1 :] if reached is not None else ()
    ended = next((entry for entry in after if not _still_waits(entry)), None)
    if ended is None:
        return told("The session has gone on from this gate.")
    happened = {event["type"] for event in ended["events"]}
    went_on = told("The session went on from this gate")
    by_itself = next((says for event, says in _BY_ITSELF.items() if event in happened), went_on)
    what = by_itself if ended["cause"] == "GateDue" else _ENDS.get(ended["cause"], went_on)
    return told("{what}{by} at {at}.", what=what, by=_by(ended.get("by")), at=at(ended["at"]))


def _reaches(entry: Entry, number: int) -> bool:
    return any(event["type"] == "GateReached" and event["detail"].endswith(f"@{number}") for event in entry["events"])


def _still_waits(entry: Entry) -> bool:
    """A late bill is booked at a gate, and changes nothing there."""
    reached = any(event["type"] == "GateReached" for event in entry["events"])
    return entry["waitingReason"] == WaitingReason.APPROVAL and not reached


def _by(said: Mapping[str, str] | None) -> str:
    match (said or {}).get("kind"):
        case ActorKind.KEY:
            return told(" with a key")
        case ActorKind.LINK:
            name = (said or {}).get("name", "")
            return told(" by {name}, over a link,", name=name) if name else told(" over a link")
        case _:
            return ""
