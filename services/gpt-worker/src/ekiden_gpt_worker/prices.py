"""What a completion costs, from the price table of `genai-prices`, which works offline."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from genai_prices import Usage, calc_price


def price(usage: Mapping[str, Any], model: str) -> tuple[int | None, str]:
    """Micro-dollars of a call, and the price it was made with. None for a model the table does not know.

    `usage` is the reply's: cached tokens are a part of `prompt_tokens`, reasoning of `completion_tokens`.
    """
    details: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    counted = Usage(
        input_tokens=int(usage["prompt_tokens"]),
        cache_read_tokens=int(details.get("cached_tokens") or 0),
        output_tokens=int(usage["completion_tokens"]),
    )
    try:
        found = calc_price(counted, model, provider_id="openai")
    except LookupError:
        return None, f"{model} is not in the price table"
    return round(found.total_price * 1_000_000), _per_million(model)


@cache
def _per_million(model: str) -> str:
    """The price in words, kept with each call: `gpt-6-luna: 0.10 in, 0.50 out per 1M tokens`."""
    try:
        one_in = calc_price(Usage(input_tokens=1_000, output_tokens=0), model, provider_id="openai").total_price
        one_out = calc_price(Usage(input_tokens=0, output_tokens=1_000), model, provider_id="openai").total_price
    except LookupError:
        return model
    return f"{model}: {one_in * 1000:.3g} in, {one_out * 1000:.3g} out per 1M tokens, USD"
