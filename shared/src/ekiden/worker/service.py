"""A worker's process: the runtime between the broker's queue, the ledger and one provider's adapter."""

import os
import socket
from functools import partial

import structlog

from ekiden import tracing
from ekiden.backbone import Backbone
from ekiden.broker.consumer import Ack, side_by_side
from ekiden.broker.topology import task_queue
from ekiden.domain.plan import Provider
from ekiden.domain.provider import Kind
from ekiden.messages.envelope import TASK_MESSAGES, Named, TaskMessage
from ekiden.settings import WorkerSettings
from ekiden.store.gate import MongoGate
from ekiden.store.ledger import MongoLedger
from ekiden.worker.adapter import Adapter
from ekiden.worker.polling import PollPlan
from ekiden.worker.runtime import Runtime

PREFETCH = {Kind.TEXT: 16, Kind.SEARCH: 64}
"""Messages held unacknowledged, which is before their claim: a call under way holds none. Texts share messages."""


class WorkerService:
    """Implements `process.Service`: the composition that both workers share; they differ in their adapter."""

    def __init__(
        self,
        settings: WorkerSettings,
        adapter: Adapter,
        *,
        cache_seconds: float = 0.0,
        poll_seconds: float | None = None,
    ) -> None:
        provider = adapter.provider
        self._grace = settings.grace_seconds
        self._backbone = Backbone(settings)
        database = self._backbone.database
        self._gate = MongoGate(database, provider, settings.rate_per_minute)
        self._runtime = Runtime(
            adapter,
            MongoLedger(database, _name(provider), provider, cache_seconds=cache_seconds),
            self._gate,
            self._backbone.publisher,
            settings.concurrency,
            PollPlan(poll_seconds),
        )
        decode = TASK_MESSAGES[provider.kind].model_validate_json
        self._backbone.consumer.subscribe(task_queue(provider), decode, self._receive, prefetch=PREFETCH[provider.kind])

    async def start(self) -> None:
        await self._backbone.connect()
        await self._gate.start()
        await self._backbone.work(self._runtime.renew_forever, self._gate.refresh_forever)

    async def ready(self) -> list[str]:
        return await self._backbone.ready()

    async def stop(self) -> None:
        self._runtime.stop_claiming()
        await self._backbone.consumer.stop()
        await self._runtime.stop(self._grace)
        await self._backbone.close()

    async def _receive(self, message: TaskMessage, ack: Ack) -> None:
        await side_by_side(message, partial(self._deliver, _by_the_last(len(message.tasks), ack)))

    async def _deliver(self, ack: Ack, told: TaskMessage | Named) -> None:
        with structlog.contextvars.bound_contextvars(session_id=told.session_id, task_id=told.task_id):
            tracing.note({tracing.SESSION_ID: told.session_id, tracing.TASK_ID: told.task_id})
            await self._runtime.deliver(told.task_id, told.session_id, ack)


def _by_the_last(tasks: int, ack: Ack) -> Ack:
    """Acknowledge when so many have: a message is needed until each of its tasks is claimed, or need not be."""
    left = tasks

    async def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            await ack()

    return count


def _name(provider: Provider) -> str:
    """Names this process and this start of it: no later one can be taken for it."""
    return f"{provider}-{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
