"""A worker's own view of its leases: by its monotonic clock only, and always on the careful side."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ekiden.errors import NotSent

LEASE_SECONDS = 8.0
RENEW_SECONDS = 2.0
SAFE_PART = 0.75
"""Past this part of its lease a worker no longer sends: the rest is for a slow network and a slow clock."""


class Leases:
    """One renewal extends all leases of a process, so one reading of the clock tells how old they are."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._renewed = monotonic()
        self._lost_up_to = float("-inf")

    def monotonic(self) -> float:
        return self._monotonic()

    def renewed(self, asked: float) -> None:
        """A renewal that was sent at `asked` has been answered.

        It renews what was still held. After a gap of a whole lease that may leave out what was claimed before: it
        may have been freed meanwhile, so nothing is sent by those claims any more.
        """
        now = self._monotonic()
        if now - self._renewed >= LEASE_SECONDS:
            self._lost_up_to = now - LEASE_SECONDS
        self._renewed = max(self._renewed, asked)

    def safe(self, claimed_at: float, held_at: float | None = None) -> bool:
        """Whether a claim sent at `claimed_at`, whose reply came at `held_at`, is young enough to send by.

        A renewal counts for a claim only when it was sent after the claim was in hand: an earlier one left it out.
        """
        if claimed_at <= self._lost_up_to:
            return False
        covered = self._renewed >= (held_at if held_at is not None else claimed_at)
        return self._monotonic() - (self._renewed if covered else claimed_at) < LEASE_SECONDS * SAFE_PART

    @property
    def fresh(self) -> bool:
        """Whether renewals come through: without them nothing new is started."""
        return self._monotonic() - self._renewed < LEASE_SECONDS * SAFE_PART

    def fence(self, claimed_at: float, held_at: float | None = None) -> "Fence":
        return Fence(self, claimed_at, held_at)


@dataclass(slots=True)
class Fence:
    """Stands at the first byte of a request: passing it is what turns «not sent» into «unknown»."""

    leases: Leases
    claimed_at: float
    held_at: float | None = None
    passed: bool = False

    def check(self) -> None:
        """Raises NotSent when the lease is too old to send by."""
        if not self.leases.safe(self.claimed_at, self.held_at):
            raise NotSent("the lease had become too old before the first byte")
        self.passed = True
