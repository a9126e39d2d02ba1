"""What something would cost and take."""

from collections.abc import Mapping

from pydantic import Field

from ekiden_client.models.document import Document


class Calls(Document):
    """Calls by provider, the most they may cost once each, and how long they take; `seconds` None if not measured."""

    calls: Mapping[str, int] = Field(default_factory=dict[str, int])
    at_most_usd: float = 0.0
    seconds: float | None = None


class Forecast(Document):
    """What a command would order, keep, cost and take."""

    tasks: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reserved_usd: float = 0.0
    seconds: float | None = None
    cached: int = 0
    saved_usd: float = 0.0
    now: Calls = Calls()
    to_end: Calls = Calls()
