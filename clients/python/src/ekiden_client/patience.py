"""When a call is asked again, and when it is given up: decided here, nothing sleeps here.

A call is asked again only where that is safe. Reading always is, and so is every command: it carries an
`Idempotency-Key`, minted once for all of its tries, so that the gateway does it once. The few calls without one are
asked again only where it is known that nothing was done.
"""

from dataclasses import dataclass
from enum import Enum

from ekiden_client.errors import Conflict, EkidenError, Misconfigured, NotAGateway, OverQuota, Unavailable, Unreachable

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_PAUSE_SECONDS = 0.1
"""Also where the gateway asks for none: a loop that does not pause is an attack."""


class Again(Enum):
    """Whether a call may be asked twice."""

    SAFE = "safe"
    """Doing it twice is doing it once."""
    IF_NOT_DONE = "if not done"
    """Only when it is known that the first was not done."""


@dataclass(frozen=True)
class Patience:
    """For how long one call is asked again, in seconds; `absent_seconds` is for a place where nobody listens."""

    seconds: float = 30.0
    absent_seconds: float = 30.0


USUAL = Patience()


def next_pause(
    error: EkidenError, tries: int, waited_seconds: float, patience: Patience, again: Again, luck: float
) -> float | None:
    """Seconds to wait before a call is asked again; None to give up and raise the error.

    `tries` counts those that failed, `luck` is between 0 and 1: pauses grow with full jitter, so that many clients do
    not come back together. What the gateway asks for (`Retry-After`) is the least; when it is beyond the patience,
    there is no use in waiting at all.
    """
    if not _may_pass(error, again):
        return None
    told = getattr(error, "retry_after_seconds", None)
    grown = min(FIRST_PAUSE_SECONDS * 2 ** (tries - 1), LONGEST_PAUSE_SECONDS) * luck
    pause = max(grown, SHORTEST_PAUSE_SECONDS) if told is None else max(told, SHORTEST_PAUSE_SECONDS) + grown / 4
    nobody_there = isinstance(error, Unreachable) and not error.sent
    allowed = patience.absent_seconds if nobody_there else patience.seconds
    return pause if waited_seconds + pause <= allowed else None


def _may_pass(error: EkidenError, again: Again) -> bool:
    match error:
        case NotAGateway() | Misconfigured():
            return False
        case Unreachable():
            return again is Again.SAFE or not error.sent
        case OverQuota():
            return error.retry_after_seconds is not None
        case Unavailable():
            return again is Again.SAFE
        case Conflict():  # an earlier request of the same key is still being answered
            return again is Again.SAFE and error.retry_after_seconds is not None
        case _:
            return False
