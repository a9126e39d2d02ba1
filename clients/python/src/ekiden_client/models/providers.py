"""Whether calls to a provider pass."""

from datetime import datetime

from ekiden_client.models.document import Document
from ekiden_client.models.words import BreakerState, BreakerWord


class Breaker(Document):
    state: BreakerWord = BreakerState.CLOSED
    reason: str | None = None
    since: datetime | None = None
    next_probe_at: datetime | None = None
    opened_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state != BreakerState.CLOSED


class ProviderState(Document):
    provider: str
    breaker: Breaker = Breaker()
    refusals_in_a_row: int = 0
    cool_down_until: datetime | None = None
    rate_per_minute: float | None = None
    rate_slots_ahead: int = 0
