"""The arena of the fault tests over containers, with a provider outside the stack."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aio_pika
import httpx
from pymongo import AsyncMongoClient

from ekiden.broker.topology import task_queue
from ekiden.domain.plan import Provider
from ekiden_native.ports import LOOPBACK, free_port
from tests.chaos.arena import Arena
from tests.chaos.at_risk import AtRisk
from tests.chaos.oracle import Row
from tests.chaos.report import Part
from tests.docker.compose import Compose, docker

PROVIDER = "http://provider:8090"
TOGETHER = 20


class Yard(Arena):
    """Sessions, waits and the oracle are the arena's; what runs is told by a `Compose` in place of a native stack."""

    def __init__(self, compose: Compose, simulator_url: str, mongodb_url: str = "") -> None:
        self.part, self.at_risk, self.drafts = Part("containers"), AtRisk(), 3
        self.compose, self.began = compose, time.time()
        self.api = httpx.AsyncClient(base_url=compose.url("EKIDEN_GATEWAY_PORT"), timeout=30.0)
        self.simulator = httpx.AsyncClient(base_url=simulator_url, timeout=30.0)
        direct = f"{compose.url('EKIDEN_MONGODB_PORT', 'mongodb')}/?directConnection=true"
        self.mongo: AsyncMongoClient[Row] = AsyncMongoClient(mongodb_url or direct, tz_aware=True)
        self.database = self.mongo["ekiden"]
        self.amqp_url = compose.url("EKIDEN_AMQP_PORT", "amqp")

    async def close(self) -> None:
        await self.api.aclose()
        await self.simulator.aclose()
        await self.mongo.close()

    async def load(self, theme: str, count: int) -> list[str]:
        """Start many sessions, a few at a time: each is created in time on a slow machine, too."""
        return [
            session
            for first in range(0, count, TOGETHER)
            for session in await self.start_many(f"{theme} {first}", min(TOGETHER, count - first))
        ]

    async def poison(self) -> None:
        """Send a message that nobody can read."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"no JSON"), task_queue(Provider.GPT))

    async def in_flight(self) -> int:
        """Searches that the provider works on: their run ids are known, their answers are not."""
        return await self.database["tasks"].count_documents({"provider": "perplexity", "status": "SUBMITTED"})

    async def completed(self, sessions: list[str]) -> int:
        return await self.database["sessions"].count_documents({"_id": {"$in": sessions}, "status": "COMPLETED"})


@asynccontextmanager
async def yard(compose: Compose, simulator_url: str, mongodb_url: str = "") -> AsyncGenerator[Yard]:
    made = Yard(compose, simulator_url, mongodb_url)
    try:
        yield made
    finally:
        await made.close()


def start_provider(compose: Compose, time_scale: float) -> None:
    """Run the simulator where the providers are, outside of the stack, and let the next `up` take it for real ones.

    It ends with the project.
    """
    port = free_port(set())
    docker(
        *("run", "--detach", "--network", compose.project, "--network-alias", "provider"),
        *("--publish", f"{LOOPBACK}:{port}:8090"),
        *("--env", "EKIDEN_SIMULATOR_HOST=0.0.0.0", "--env", f"EKIDEN_SIMULATOR_TIME_SCALE={time_scale}"),
        f"ekiden/simulator:{compose.project}",
    )
    compose.environment |= {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{PROVIDER}/v1",
        "PERPLEXITY_API_KEY": "pplx-test",
        "PERPLEXITY_BASE_URL": PROVIDER,
        "EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "6000",
    }
    compose.provider = f"http://{LOOPBACK}:{port}"
