"""The network between the services and broker, database and providers does its worst, through a proxy of our own."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ekiden.store.provider_writes import FIRST_PROBE_SECONDS
from tests.chaos.arena import SERVICES, TAKEN_UP_SECONDS, Arena
from tests.chaos.faults import Poisoned
from tests.chaos.network import Network
from tests.chaos.proxy import BlackHole, CutReply, Drip, Latency, Narrow, Reset, Toxic
from tests.chaos.report import Part

PART = "network"
SHORT_SECONDS = 8.0
PAST_THE_HEARTBEAT_SECONDS = 45.0
"""aio-pika gives a silent broker up after three heartbeats of 10 s."""
TOXICS: tuple[Toxic, ...] = (Latency(), Reset(), Drip(), Narrow(), CutReply(), BlackHole())

pytestmark = pytest.mark.long


@pytest_asyncio.fixture(scope="module")
async def network() -> AsyncIterator[Network]:
    made = Network()
    await made.up()
    yield made
    await made.down()


@pytest_asyncio.fixture(scope="module")
async def arena(tmp_path_factory: pytest.TempPathFactory, part: Part, network: Network) -> AsyncIterator[Arena]:
    variables = dict.fromkeys(SERVICES, network.variables)
    made = Arena(tmp_path_factory.mktemp("network"), env=network.env, variables=variables, part=part)
    async with made.standing():
        yield made


@pytest.mark.parametrize("toxic", TOXICS, ids=lambda toxic: toxic.name)
@pytest.mark.parametrize("where", ["broker", "database", "providers"])
async def test_nothing_is_lost_or_bought_twice_on_a_bad_line(
    arena: Arena, network: Network, where: str, toxic: Toxic
) -> None:
    held = where == "broker" and isinstance(toxic, BlackHole)
    seconds = PAST_THE_HEARTBEAT_SECONDS if held else SHORT_SECONDS
    ids = await arena.start_many(f"{toxic.name} to {where} {time.monotonic_ns()}", 8, budgetUsd=5)
    assert await arena.suffer(Poisoned(where, network.to[where], toxic, seconds)), "the toxic touched a connection"
    healed = time.monotonic()
    ids += await arena.start_many(f"after {toxic.name} to {where} {healed}", 2)  # the others may have ended
    providers = where == "providers"
    longest = TAKEN_UP_SECONDS + FIRST_PROBE_SECONDS * providers  # their breaker may have opened: the probe comes first
    assert await arena.went_on(ids, healed, all_of_them=not providers) <= longest

    verdict = await arena.judge(await arena.until_ended(ids, 200, deciding=True))

    assert verdict.resends == 0
