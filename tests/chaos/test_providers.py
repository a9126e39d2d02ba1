"""Providers that refuse, fail, cut the line and answer nonsense: what is bought is used, and nothing bought again."""

import pytest

from tests.chaos.arena import Arena, Fault
from tests.chaos.faults import Script
from tests.chaos.oracle import Row

PART = "provider storms"
SECONDS = 15.0

pytestmark = pytest.mark.long


def often(kind: str, provider: str | None = None, probability: float = 0.3, **more: object) -> Row:
    return {"kind": kind, "provider": provider, "probability": probability, **more}


STORMS = (
    Script("429", [often("rate_limit")], SECONDS),
    Script("429 with Retry-After", [often("rate_limit", "openai", retryAfter=1)], SECONDS),
    Script("500", [often("status", status=500)], SECONDS),
    Script("truncated JSON", [often("truncated_json")], SECONDS),
    Script("truncated reply", [often("truncated_json", probability=0.15, where="body")], SECONDS),
    Script("HTML error page", [often("html_error", probability=0.15)], SECONDS),
    Script("HTML error page, accepted", [often("html_error", probability=0.15, accepted=True)], SECONDS),
    Script("failed run", [often("failed_run", "perplexity")], SECONDS),
    Script("refusal", [often("refusal", "openai", 0.1)], SECONDS),
    Script("out of tokens", [often("length")], SECONDS),
    Script("slow poll", [often("slow_poll", "perplexity", 0.5, seconds=3)], SECONDS),
    Script("cut after accept", [often("accept_then_cut", probability=0.15)], SECONDS),
    Script("cut before accept", [often("cut_before_accept", probability=0.15, reset=True)], SECONDS),
    Script("lost polls", [often("html_error", "perplexity", 0.3, operation="poll")], SECONDS),
)


@pytest.mark.parametrize("script", STORMS, ids=lambda script: script.name)
async def test_a_storm_at_the_providers_is_sat_out_and_nothing_is_bought_twice(
    arena: Arena, seed: int, script: Fault
) -> None:
    """Whatever fails for good is ordered again by a person; on what nobody can know one decides."""
    ids = await arena.start_many(f"{script.kind} {seed}", 20, budgetUsd=20)
    assert await arena.suffer(script)

    verdict = await arena.judge(await arena.until_ended(ids, 200, deciding=True, retrying=True))

    assert verdict.resends == 0
