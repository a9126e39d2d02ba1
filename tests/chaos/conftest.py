"""One stack for all fault tests of a run: what a fault leaves behind is a part of the next test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.arena import Arena


@pytest_asyncio.fixture(scope="session")
async def arena(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    made = Arena(
        tmp_path_factory.mktemp("arena"),
        {"gateway": 1, "orchestrator": 1, "gpt-worker": 1, "perplexity-worker": 1},
    )
    try:
        made.up()
        yield made
    finally:
        await made.down()
