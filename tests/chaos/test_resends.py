"""With the policy `resend` an unknown outcome is bought again: counted, and exactly as often as a line was cut."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.arena import Arena
from tests.chaos.faults import Script
from tests.chaos.report import Part

PART = "resends of cut searches"

pytestmark = pytest.mark.long


@pytest_asyncio.fixture(scope="module")
async def arena(tmp_path_factory: pytest.TempPathFactory, part: Part) -> AsyncIterator[Arena]:
    made = Arena(tmp_path_factory.mktemp("resends"), env={"EKIDEN_PERPLEXITY_UNKNOWN_OUTCOME": "resend"}, part=part)
    async with made.standing():
        yield made


async def test_each_cut_search_is_bought_once_more_and_counted(arena: Arena, seed: int) -> None:
    ids = await arena.start_many(f"cut {seed}", 60, budgetUsd=5)
    cut = {"kind": "accept_then_cut", "provider": "perplexity", "probability": 0.3, "times": 60}
    cuts = await arena.suffer(Script("cut after accept", [cut], 20.0))
    assert cuts

    verdict = await arena.judge(await arena.until_ended(ids, 200, deciding=True))

    assert verdict.resends == cuts
    assert verdict.searches + verdict.cached == 3 * len(ids) + cuts
    assert verdict.gpt_twice == 0
