"""What is around all sessions alike: queues, breakers, how long calls take. Asked for all of them at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ekiden.broker.publisher import Publisher
from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import ORCHESTRATOR, task_queue
from ekiden.domain.forecast import Medians
from ekiden.domain.plan import Provider
from ekiden.domain.remedies import QueueFact
from ekiden.errors import Unreachable
from ekiden.store.providers import ProviderStates
from ekiden.store.tasks import TaskStore
from ekiden_gateway.kept import keep

BROKER_SECONDS = 2.0
KEPT_SECONDS = 1.0
MEDIANS_KEPT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits for the workers of each provider, and for orchestrators; None while the broker does not answer."""

    workers: Mapping[Provider, QueueFact | None]
    orchestrators: QueueFact | None


def _unknown() -> Queues:
    return Queues(dict.fromkeys(Provider), None)


class Surroundings:
    """Each of its questions is answered with what is known, if that is a moment old at most."""

    def __init__(self, publisher: Publisher, depths: QueueDepth, providers: ProviderStates, tasks: TaskStore) -> None:
        self._publisher = publisher
        self._depths = depths
        self._tasks = tasks
        self.queues = keep(self._queues, KEPT_SECONDS)
        self.held = keep(providers.held, KEPT_SECONDS)
        """Why calls to a provider are held back. Raises Unreachable."""
        self.depths = keep(tasks.outstanding, KEPT_SECONDS)
        """Queued and leased tasks by provider. Raises Unreachable."""
        self.medians = keep(self._medians, MEDIANS_KEPT_SECONDS)
        """How long calls take. Raises Unreachable."""

    async def _queues(self) -> Queues:
        if not self._publisher.connected:
            return _unknown()
        try:
            async with asyncio.timeout(BROKER_SECONDS):
                workers = {provider: await self._fact(task_queue(provider)) for provider in Provider}
                return Queues(workers, await self._fact(ORCHESTRATOR))
        except (Unreachable, TimeoutError):
            return _unknown()

    async def _fact(self, name: str) -> QueueFact:
        state = await self._depths.depth(name)
        return QueueFact(state.ready, state.consumers)

    async def _medians(self) -> Medians:
        found = {provider: await self._tasks.median_seconds(provider) for provider in Provider}
        return {provider: seconds for provider, seconds in found.items() if seconds is not None}
