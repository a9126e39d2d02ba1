"""The provider's own rate limit: a leaky bucket with continuous refill, as both providers document it.

The bucket holds one minute's worth: the recorded headers say `remaining` = limit − 1 after the first call.
"""

from collections.abc import Callable
from dataclasses import dataclass

_MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to one request, with the numbers that go into its headers."""

    accepted: bool
    limit: int
    remaining: int
    full_after_seconds: float
    retry_after_seconds: float


class RateLimit:
    """Counts the calls of one provider, and refuses those beyond its rate when one is set.

    Without a rate nothing is refused, and the headers show a bucket of `shown_per_minute` that is always full.
    """

    def __init__(self, per_minute: int | None, shown_per_minute: int, clock: Callable[[], float]) -> None:
        self._enforced = per_minute is not None
        self._limit = per_minute or shown_per_minute
        self._clock = clock
        self._used = 0.0
        self._looked_at = clock()
        self.accepted = 0
        self.refused = 0

    def take(self) -> Grant:
        """Ask for one call, and count the answer."""
        self._drain()
        accepted = not self._enforced or self._used + 1 <= self._limit
        if accepted:
            self.accepted += 1
            self._used = self._used + 1 if self._enforced else 1.0
        else:
            self.refused += 1
        return self._grant(accepted)

    def look(self) -> Grant:
        """Return the state of the bucket without taking from it, for calls that are not limited."""
        self._drain()
        return self._grant(True)

    def clear(self) -> None:
        """Empty the bucket and the counters."""
        self._used, self.accepted, self.refused = 0.0, 0, 0

    def _drain(self) -> None:
        now = self._clock()
        self._used = max(0.0, self._used - (now - self._looked_at) * self._limit / _MINUTE_SECONDS)
        self._looked_at = now

    def _grant(self, accepted: bool) -> Grant:
        second_per_call = _MINUTE_SECONDS / self._limit
        return Grant(
            accepted=accepted,
            limit=self._limit,
            remaining=max(0, int(self._limit - self._used)),
            full_after_seconds=self._used * second_per_call,
            retry_after_seconds=max(0.0, self._used + 1 - self._limit) * second_per_call,
        )
