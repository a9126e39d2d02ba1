"""What a call costs, in USD. Prices are per million tokens, from `providers.md` 1.10 and 2.1 (November 2026)."""

from dataclasses import dataclass

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float


OPENAI_PRICES: dict[str, Price] = {
    "gpt-6-luna": Price(0.10, 0.50),
    "gpt-5.6-luna": Price(0.20, 1.20),
    "gpt-5.4-nano": Price(0.20, 1.25),
    "gpt-5-mini": Price(0.25, 2.00),
    "gpt-4o-mini": Price(0.15, 0.60),
    "gpt-4.1-mini": Price(0.40, 1.60),
    "gpt-5.4-mini": Price(0.75, 4.50),
    "gpt-4.1": Price(2.00, 8.00),
    "gpt-5.6-terra": Price(2.00, 12.00),
    "gpt-6-sol": Price(2.00, 10.00),
    "gpt-6.1-sol": Price(2.00, 10.00),
    "gpt-5.4": Price(2.50, 15.00),
    "gpt-5.6-sol": Price(4.00, 20.00),
    "gpt-5.5": Price(5.00, 30.00),
    "gpt-6-astra": Price(10.00, 50.00),
}
"""Every OpenAI model the simulator knows; any other is `model_not_found`."""

AGENT_PRICES: dict[str, Price] = {
    "perplexity/sonar": Price(0.25, 2.50),
    "openai/gpt-6-luna": OPENAI_PRICES["gpt-6-luna"],
    "openai/gpt-6-sol": OPENAI_PRICES["gpt-6-sol"],
    "openai/gpt-5.6-luna": OPENAI_PRICES["gpt-5.6-luna"],
    "anthropic/claude-opus-5-5": Price(5.00, 25.00),  # not in the reference: a guess, only behind preset xhigh
}
"""Every model of the Agent API the simulator knows."""

WEB_SEARCH_USD = 0.0025
FAST_SEARCH_USD = 0.001
"""Per call of the `web_search` tool, by its `search_type`."""


def chat_cost(model: str, prompt_tokens: int, completion_tokens: int) -> float:
    """Return what OpenAI charges, exact to 1e-8 USD (prices are whole cents per million tokens)."""
    price = OPENAI_PRICES[model]
    return round((prompt_tokens * price.input + completion_tokens * price.output) / _MILLION, 8)


def agent_cost(tokens: int, usd_per_million: float) -> float:
    """Return one token item of `usage.cost`; Perplexity rounds to five decimals."""
    return round(tokens * usd_per_million / _MILLION, 5)
