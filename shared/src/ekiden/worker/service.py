"""A worker's process: the runtime between the broker's queue, the ledger and one provider's adapter."""

import asyncio
import os
import socket
from collections.abc import Coroutine
from typing import Any

import structlog

from ekiden.broker.consumer import Ack, Consumer
from ekiden.broker.publisher import Publisher
from ekiden.broker.topology import TASK_QUEUES
from ekiden.domain.plan import Provider
from ekiden.errors import Unreachable
from ekiden.messages.envelope import GenerateText, SearchWeb, TaskMessage
from ekiden.retry import UnknownOutcome
from ekiden.settings import WorkerSettings
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden.store.ledger import MongoLedger
from ekiden.store.providers import MongoGate
from ekiden.store.schema import ensure_schema
from ekiden.worker.adapter import Adapter
from ekiden.worker.polling import PollPlan
from ekiden.worker.runtime import Runtime

log = structlog.get_logger()
PREFETCH = 64
"""Messages held unacknowledged, which is before their claim: a call under way holds none."""
CLOCK_SECONDS = 30.0
_KINDS: dict[Provider, type[TaskMessage]] = {Provider.GPT: GenerateText, Provider.PERPLEXITY: SearchWeb}


class WorkerService:
    """Implements `process.Service`: the composition that both workers share; they differ in their adapter."""

    def __init__(
        self,
        settings: WorkerSettings,
        adapter: Adapter,
        policy: UnknownOutcome,
        *,
        cache_seconds: float = 0.0,
        poll_seconds: float | None = None,
    ) -> None:
        self._provider = adapter.provider
        self._grace = settings.grace_seconds
        self._database = Database(settings.mongodb_url, settings.mongodb_database)
        self._publisher = Publisher(settings.amqp_url, Stamp(self._database.clock))
        self._consumer = Consumer(settings.amqp_url, self._publisher)
        self._gate = MongoGate(self._database, self._provider, settings.rate_per_minute)
        me = f"{self._provider}-{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        ledger = MongoLedger(self._database, me, self._provider, policy, cache_seconds=cache_seconds)
        self._runtime = Runtime(
            adapter, ledger, self._gate, self._publisher, settings.concurrency, PollPlan(poll_seconds)
        )
        self._background: list[asyncio.Task[None]] = []
        kind = _KINDS[self._provider]
        self._consumer.subscribe(
            TASK_QUEUES[self._provider], kind.model_validate_json, self._receive, prefetch=PREFETCH
        )

    async def start(self) -> None:
        await self._database.synchronise_clock()
        await ensure_schema(self._database)
        await self._publisher.connect()
        if not self._background:
            work: list[Coroutine[Any, Any, None]] = [
                self._runtime.renew_forever(),
                self._gate.refresh_forever(),
                self._synchronise_forever(),
            ]
            self._background = [asyncio.create_task(part) for part in work]
        await self._consumer.start()

    async def ready(self) -> list[str]:
        wrong: list[str] = []
        try:
            await self._database.command("ping")
        except Unreachable as error:
            wrong.append(str(error))
        if not self._publisher.connected:
            wrong.append("the broker does not take messages")
        if not await self._consumer.alive():
            wrong.append("the consumer is not connected")
        wrong += [f"a background task ended: {task.get_name()}" for task in self._background if task.done()]
        return wrong

    async def stop(self) -> None:
        self._runtime.stop_claiming()
        await self._consumer.stop()
        await self._runtime.stop(self._grace)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._publisher.close()
        await self._database.close()

    async def _receive(self, message: TaskMessage, ack: Ack) -> None:
        with structlog.contextvars.bound_contextvars(session_id=message.session_id, task_id=message.task_id):
            await self._runtime.deliver(message.task_id, message.session_id, ack)

    async def _synchronise_forever(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            try:
                await self._database.synchronise_clock()
            except Unreachable as error:
                log.debug("clock_not_synchronised", error=str(error))
