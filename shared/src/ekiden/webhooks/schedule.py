"""When a delivery is tried again, and when no more: pure, nothing here sleeps.

The pauses are those that Standard Webhooks proposes (standard-webhooks.com, «Retry schedule»): ten attempts within
about three days, each pause longer or shorter by up to a fifth, so that what failed together does not come together.
"""

from dataclasses import dataclass
from datetime import timedelta

from ekiden.retry import Again, Stop

_MINUTE, _HOUR = 60.0, 3600.0
PAUSES = (5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds after the first, second, … attempt that failed."""
ATTEMPTS = 1 + len(PAUSES)
JITTER = 0.2
LONGEST_WISH_SECONDS = 24 * _HOUR
"""What a `Retry-After` may ask for; one that asks for less than the pause changes nothing."""
FAILING_FOR = timedelta(days=5)
"""A webhook of which nothing has arrived for so long is disabled."""
GONE = 410
_OBEYED = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended: the status of an answer, or the error in its place.

    `excerpt` is the beginning of the answer's body, `retry_after` the seconds it asks for.
    """

    status: int | None = None
    error: str = ""
    excerpt: str = ""
    retry_after: float | None = None
    seconds: float = 0.0

    @property
    def took(self) -> bool:
        """Whether the receiver has it. A redirect is no: it is not followed."""
        return self.status is not None and 200 <= self.status < 300


def after(answer: Answer, failed: int, jitter: float) -> Again | Stop:
    """Say what follows the `failed`-th failed attempt of a delivery; `jitter` is a random number in [0, 1)."""
    if answer.status == GONE or failed >= ATTEMPTS:
        return Stop()
    pause = PAUSES[failed - 1] * (1 + JITTER * (2 * jitter - 1))
    if answer.status in _OBEYED and answer.retry_after is not None:
        pause = max(pause, min(answer.retry_after, LONGEST_WISH_SECONDS))
    return Again(pause)
