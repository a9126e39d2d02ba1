"""What a completion costs: by the operator's list, by what the server says of it, or by `genai-prices`, offline.

A model that none of them knows has no price: its call is booked at its step's cap, and flagged.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from genai_prices import Usage, calc_price
from genai_prices.types import PriceCalculation

LITELLM_COST = "x-litellm-response-cost"
"""LiteLLM's header: dollars of this call. OpenRouter says the same in `usage.cost`."""
MOST_DOLLARS = 1_000_000
"""What is more is no cost of a call."""


@dataclass(frozen=True, slots=True)
class ListPrice:
    """Dollars per million tokens."""

    input: float
    output: float


@dataclass(frozen=True)
class PriceList:
    """`own` are the operator's prices by model; `base_url` tells `genai-prices` whose model a name is."""

    own: Mapping[str, ListPrice] = field(default_factory=dict[str, ListPrice])
    base_url: str = ""

    def price(
        self, usage: Mapping[str, Any], answered_by: str, asked: str, headers: Mapping[str, str]
    ) -> tuple[int | None, str]:
        """Micro-dollars of a call, and the price it was made with. None when nobody knows one.

        `usage` is the reply's: cached tokens are a part of `prompt_tokens`, reasoning of `completion_tokens`. A server
        may answer under a longer name than the one it was asked for: both are looked for, what was asked for first in
        the operator's own list.
        """
        for model in (asked, answered_by):
            if (own := self.own.get(model)) is not None:
                dollars = (usage["prompt_tokens"] * own.input + usage["completion_tokens"] * own.output) / 1_000_000
                return round(dollars * 1_000_000), f"{model}: {own.input:g} in, {own.output:g} out per 1M tokens, USD"
        if (said := _said(usage, headers)) is not None:
            return said
        for model in (answered_by, asked):
            if (listed := _listed(usage, model, self.base_url)) is not None:
                return listed
        return None, f"{answered_by} is not in the price table"

    def knows(self, model: str) -> bool:
        """Whether a call of this model can be priced before anybody has answered."""
        nothing = {"prompt_tokens": 0, "completion_tokens": 0}
        return model in self.own or _listed(nothing, model, self.base_url) is not None


def read_prices(text: str) -> Mapping[str, ListPrice]:
    """Read EKIDEN_GPT_PRICES: `model=in/out`, comma-separated. Raises ValueError."""
    return dict(_entry(part.strip()) for part in text.split(",") if part.strip())


def _entry(text: str) -> tuple[str, ListPrice]:
    model, _, rest = text.rpartition("=")
    one_in, _, one_out = rest.partition("/")
    try:
        price = ListPrice(float(one_in), float(one_out))
    except ValueError:
        price = None
    if not model or price is None or not (0 <= price.input < MOST_DOLLARS and 0 <= price.output < MOST_DOLLARS):
        raise ValueError(f"{text!r}: write model=in/out, in USD per million tokens, such as qwen3:8b=0/0")
    return model, price


def _said(usage: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, str] | None:
    for name, said in (("usage.cost", usage.get("cost")), (LITELLM_COST, headers.get(LITELLM_COST))):
        try:
            dollars = float(said) if said is not None and not isinstance(said, bool) else -1.0
        except (TypeError, ValueError):
            continue
        if 0 <= dollars <= MOST_DOLLARS:
            return round(dollars * 1_000_000), f"{name} of the answer"
    return None


def _listed(usage: Mapping[str, Any], model: str, base_url: str) -> tuple[int, str] | None:
    details: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    counted = Usage(
        input_tokens=int(usage["prompt_tokens"]),
        cache_read_tokens=int(details.get("cached_tokens") or 0),
        output_tokens=int(usage["completion_tokens"]),
    )
    found = _calculated(counted, model, base_url)
    return (round(found.total_price * 1_000_000), _per_million(model, base_url)) if found is not None else None


@cache
def _per_million(model: str, base_url: str) -> str:
    """The price in words, kept with each call: `gpt-6-luna: 0.10 in, 0.50 out per 1M tokens`."""
    one_in = _calculated(Usage(input_tokens=1_000, output_tokens=0), model, base_url)
    one_out = _calculated(Usage(input_tokens=0, output_tokens=1_000), model, base_url)
    if one_in is None or one_out is None:
        return model
    dollars = f"{one_in.total_price * 1000:.3g} in, {one_out.total_price * 1000:.3g} out"
    return f"{model}: {dollars} per 1M tokens, USD"


def _calculated(counted: Usage, model: str, base_url: str) -> PriceCalculation | None:
    """By the prices of whoever sells at the address, else by OpenAI's: a proxy of it is no address that is known."""
    if base_url:
        with suppress(LookupError):
            return calc_price(counted, model, provider_api_url=base_url)
    with suppress(LookupError):
        return calc_price(counted, model, provider_id="openai")
    return None
