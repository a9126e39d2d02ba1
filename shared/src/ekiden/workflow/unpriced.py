"""Models of a workflow whose price nobody knows: no mistakes, but what they cost is booked at the steps' caps."""

from collections.abc import Iterator

from ekiden.domain.provider import Provider
from ekiden.prices import PriceList
from ekiden.workflow.definition import Definition


def unpriced(definition: Definition, prices: PriceList) -> Iterator[str]:
    """Say which steps name such a model, one sentence each. A search says itself what it cost."""
    for position in definition.positions():
        step = definition.step(position)
        place = f"phases.{definition.phases[position.phase - 1].name}.{position.step.lower()}"
        asked = [(step.provider, step.model), *((other.provider, other.model) for other in step.fallback)]
        for provider, model in asked:
            if provider is Provider.GPT and model is not None and not prices.knows(model):
                yield (
                    f"{place}: nobody knows the price of {model}: a call is booked at its cap, {step.cap_usd:g} USD, "
                    "unless its answer says what it cost. EKIDEN_GPT_PRICES names a price."
                )
