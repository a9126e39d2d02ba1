"""Whether calls to a provider pass."""

from datetime import datetime

from pydantic import Field

from ekiden.store.providers import BreakerState
from ekiden_gateway.models.wire import EXAMPLE_TIME, Answered, Asked


class OpenBreaker(Asked):
    reason: str = Field(
        default="",
        max_length=500,
        description="Shown wherever a session waits for it",
        examples=["The invoice is under discussion"],
    )


class BreakerAnswer(Answered):
    state: BreakerState = Field(description="`probing`: one call is under way to try whether the provider is back")
    reason: str | None = Field(examples=["QuotaExhausted: You exceeded your current quota"])
    since: datetime | None = Field(examples=[EXAMPLE_TIME])
    next_probe_at: datetime | None = Field(
        description="When one call is tried at the soonest; null while one is under way, and when a person opened it"
    )
    opened_by: str | None = Field(description="`worker` or `person`; only a person closes what a person opened")


class ProviderAnswer(Answered):
    provider: str = Field(examples=["gpt"])
    breaker: BreakerAnswer
    refusals_in_a_row: int = Field(description="Outages that all workers were told of since the last answer")
    cool_down_until: datetime | None = Field(description="The provider asked all workers to wait; null when none does")
    rate_per_minute: float | None = Field(description="Calls a minute of all workers together; null is unlimited")
    rate_slots_ahead: int = Field(description="Calls that stand in line for their time, by that rate")


class ProviderPage(Answered):
    items: list[ProviderAnswer]
    next_cursor: str | None = None
