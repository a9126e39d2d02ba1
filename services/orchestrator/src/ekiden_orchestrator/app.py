"""The composition root: settings in, adapters built, handlers wired, service out."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from pydantic import TypeAdapter

from ekiden.broker.consumer import Ack, Consumer
from ekiden.broker.publisher import Publisher
from ekiden.broker.topology import ORCHESTRATOR
from ekiden.errors import Unreachable
from ekiden.messages.envelope import TaskCompleted, TaskFailed
from ekiden.relay import Relay
from ekiden.stamp import Stamp
from ekiden.store.database import Database
from ekiden.store.drafts import DraftStore
from ekiden.store.schema import ensure_schema
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.workflows import WorkflowStore
from ekiden_orchestrator.gauges import measure_forever
from ekiden_orchestrator.queues import QueueDepth
from ekiden_orchestrator.reconciler import Reconciler
from ekiden_orchestrator.settings import OrchestratorSettings

log = structlog.get_logger()
PREFETCH = 64
CLOCK_SECONDS = 30.0
TaskEnded = TaskCompleted | TaskFailed
_DECODE: TypeAdapter[TaskEnded] = TypeAdapter(TaskEnded)


class Orchestrator:
    """Implements `process.Service`: looks at sessions when their tasks end, and reconciles."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._database = Database(settings.mongodb_url, settings.mongodb_database)
        clock = self._database.clock
        self._publisher = Publisher(settings.amqp_url, Stamp(clock))
        self._consumer = Consumer(settings.amqp_url, self._publisher)
        self._queues = QueueDepth(settings.amqp_url)
        self._sessions = SessionStore(self._database)
        self._tasks = TaskStore(self._database)
        workflows = WorkflowStore(self._database, settings.policies)
        drafts = DraftStore(self._database)
        self._relay = Relay(self._sessions, self._tasks, drafts, workflows, self._publisher, clock, settings.policies)
        self._reconciler = Reconciler(self._sessions, self._tasks, self._relay, self._publisher, self._queues, clock)
        self._background: list[asyncio.Task[None]] = []
        self._consumer.subscribe(ORCHESTRATOR, _DECODE.validate_json, self._task_ended, prefetch=PREFETCH)

    async def start(self) -> None:
        await self._database.synchronise_clock()
        await ensure_schema(self._database)
        await self._publisher.connect()
        await self._queues.connect()
        if not self._background:
            work: list[Coroutine[Any, Any, None]] = [
                self._reconciler.run_forever(),
                measure_forever(self._sessions, self._tasks, self._queues),
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
        return wrong

    async def stop(self) -> None:
        await self._consumer.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._queues.close()
        await self._publisher.close()
        await self._database.close()

    async def _task_ended(self, message: TaskEnded, ack: Ack) -> None:
        """A task event carries no news, it says *look*."""
        with structlog.contextvars.bound_contextvars(session_id=message.session_id, task_id=message.task_id):
            await self._relay.look(message.session_id)
            await ack()

    async def _synchronise_forever(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            try:
                await self._database.synchronise_clock()
            except Unreachable as error:
                log.debug("clock_not_synchronised", error=str(error))


def build(settings: OrchestratorSettings) -> Orchestrator:
    return Orchestrator(settings)
