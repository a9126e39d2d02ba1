"""The composition root: settings in, adapters built, handlers wired, service out."""

from functools import partial

import structlog
from pydantic import TypeAdapter

from ekiden import tracing
from ekiden.backbone import Backbone
from ekiden.broker.consumer import Ack, side_by_side
from ekiden.broker.queue_depth import QueueDepth
from ekiden.broker.topology import ORCHESTRATOR
from ekiden.crashpoints import reach
from ekiden.firing import Firing
from ekiden.messages.envelope import Named, TaskCompleted, TaskFailed, TaskMessage
from ekiden.relay import Relay
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.drafts import DraftStore
from ekiden.store.providers import ProviderStates
from ekiden.store.pruning import PruningStore
from ekiden.store.remembered import Remembered
from ekiden.store.schedule_runs import RunStore
from ekiden.store.schedules import ScheduleStore
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.webhooks import WebhookStore
from ekiden.store.workflows import WorkflowStore
from ekiden.webhooks.transport import CheckedTransport, Resolver, WebhookClient
from ekiden_orchestrator import dead_letters
from ekiden_orchestrator.dead_letters import DeadLetterKeeper
from ekiden_orchestrator.gauges import Gauges
from ekiden_orchestrator.loops import forever
from ekiden_orchestrator.reconciler import Reconciler
from ekiden_orchestrator.retention import Retention
from ekiden_orchestrator.scheduler import Scheduler
from ekiden_orchestrator.settings import OrchestratorSettings
from ekiden_orchestrator.sweep import Sweep
from ekiden_orchestrator.webhook_feed import WebhookFeed
from ekiden_orchestrator.webhook_sender import WebhookSender

PREFETCH = 64
TaskEnded = TaskCompleted | TaskFailed
_DECODE: TypeAdapter[TaskEnded] = TypeAdapter(TaskEnded)


class Orchestrator:
    """Implements `process.Service`: looks at sessions when their tasks end, and reconciles."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._backbone = Backbone(settings)
        self._queues = QueueDepth(settings.amqp_url)
        database, publisher = self._backbone.database, self._backbone.publisher
        sessions, tasks = SessionStore(database), TaskStore(database)
        workflows, drafts = WorkflowStore(database, settings.policies), DraftStore(database)
        self._tasks = tasks
        stores = (sessions, tasks, drafts, workflows)
        self._relay = Relay(*stores, publisher, database.clock, settings.policies, Remembered())
        providers = ProviderStates(database)
        self._reconciler = Reconciler(
            sessions, tasks, providers, self._relay, self._queues, database.clock, settings.fallback_seconds
        )
        self._sweep = Sweep(sessions, tasks, self._relay, database.clock)
        keep = settings.retention
        self._retention = Retention(PruningStore(database), database.clock, keep) if keep is not None else None
        letters = DeadLetterStore(database)
        schedules, webhooks = ScheduleStore(database), WebhookStore(database)
        firing = Firing(schedules, RunStore(database), webhooks, self._relay, database.clock)
        self._scheduler = Scheduler(schedules, firing, database.clock, by_the_clock=settings.scheduler == "on")
        deliveries = DeliveryStore(database)
        self._gauges = Gauges(sessions, tasks, providers, letters, deliveries, self._queues, database.clock)
        self._feed = WebhookFeed(sessions, webhooks, deliveries, database.clock)
        self._resolver = Resolver()
        transport = CheckedTransport(settings.webhooks_allowed, self._resolver)
        self._receivers = WebhookClient(transport, database.clock)
        self._sender = WebhookSender(webhooks, deliveries, self._receivers, database.clock)
        self._backbone.consumer.subscribe(ORCHESTRATOR, _DECODE.validate_json, self._task_ended, prefetch=PREFETCH)
        self._backbone.consumer.collect_dead_letters(DeadLetterKeeper(letters).keep, prefetch=dead_letters.PREFETCH)

    async def start(self) -> None:
        await self._backbone.connect()
        await self._queues.connect()
        loops = {
            "free": self._reconciler.free,
            "repair": self._reconciler.repair,
            "look": self._reconciler.look,
            "sweep": self._sweep.sweep,
            "schedules": self._scheduler.pass_once,
            "gauges": self._gauges.measure,
            "webhook feed": self._feed.pass_once,
            "webhook sender": self._sender.pass_once,
        }
        if self._retention is not None:
            loops["retention"] = self._retention.prune
        await self._backbone.work(*(partial(forever, name, do) for name, do in loops.items()))

    async def ready(self) -> list[str]:
        return await self._backbone.ready()

    async def stop(self) -> None:
        await self._backbone.consumer.stop()
        await self._backbone.stop_loops()
        await self._sender.stop()
        await self._tasks.flush()
        await self._receivers.close()
        self._resolver.close()
        await self._queues.close()
        await self._backbone.close()

    async def _task_ended(self, message: TaskEnded, ack: Ack) -> None:
        """A task event carries no news, it says *look*."""
        await side_by_side(message, self._look)
        reach("orchestrator:before_ack")
        await ack()
        reach("orchestrator:after_ack")

    async def _look(self, ended: TaskMessage | Named) -> None:
        with structlog.contextvars.bound_contextvars(session_id=ended.session_id, task_id=ended.task_id):
            tracing.note({tracing.SESSION_ID: ended.session_id, tracing.TASK_ID: ended.task_id})
            reach("orchestrator:before_look")
            await self._relay.task_ended(ended.session_id, ended.task_id)


def build(settings: OrchestratorSettings) -> Orchestrator:
    return Orchestrator(settings)
