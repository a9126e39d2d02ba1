"""When to ask for a run's answer: by the median of what was measured, else by growing steps."""

from collections import deque
from collections.abc import Iterator
from itertools import chain, repeat

FIRST_PART = 0.6
NEXT_PART = 0.1
UNMEASURED_SECONDS = (0.25, 0.25, 0.5, 1.0, 2.0)
"""Before anything was measured: early and cheap, a poll costs nothing; then every LONGEST_SECONDS."""
SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 10.0


class PollPlan:
    """Remembers how long the last hundred runs took, in seconds. `fixed` overrides the plan with one interval."""

    def __init__(self, fixed: float | None = None) -> None:
        self._fixed = fixed
        self._took: deque[float] = deque(maxlen=100)

    def measured(self, seconds: float) -> None:
        self._took.append(seconds)

    @property
    def median(self) -> float | None:
        return sorted(self._took)[len(self._took) // 2] if self._took else None

    def waits(self) -> Iterator[float]:
        """The pauses before each poll of one run, without end."""
        if self._fixed is not None:
            return repeat(self._fixed)
        if self.median is None:
            return chain(UNMEASURED_SECONDS, repeat(LONGEST_SECONDS / 2))
        following = min(max(self.median * NEXT_PART, SHORTEST_SECONDS), LONGEST_SECONDS)
        return chain([self.median * FIRST_PART], repeat(following))
