"""What all models share: camelCase names outside, unknown fields refused on the way in."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from ekiden.domain.ids import Micros

EXAMPLE_SESSION = "ses_0199c0ffee0077778888999900001111"
EXAMPLE_TASK = f"{EXAMPLE_SESSION}.1E.g1.0"
EXAMPLE_GATE = "after:1@1"
EXAMPLE_TIME = "2026-11-22T09:30:00.000Z"


class TaskType(StrEnum):
    GPT_COMPLETION = "GPT_COMPLETION"
    PERPLEXITY_SEARCH = "PERPLEXITY_SEARCH"


class Asked(BaseModel):
    """Strict: JSON has numbers, truths and texts of its own, and one in place of another is a mistake."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=False, extra="forbid", frozen=True, strict=True
    )


class Answered(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def usd(amount: Micros | int) -> float:
    """Whole micro-dollars as USD: the only place where money changes its unit on the way out."""
    return amount / 1_000_000


def micros(amount: float) -> Micros:
    return Micros(round(amount * 1_000_000))
