"""What the gateway is made of: built once in `app`, handed to the routes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

import structlog

from ekiden.backbone import end
from ekiden.broker import topology
from ekiden.broker.liveness import PROBE_SECONDS
from ekiden.broker.publisher import Publisher
from ekiden.broker.queue_depth import QueueDepth
from ekiden.errors import Unreachable
from ekiden.firing import Firing
from ekiden.relay import Relay
from ekiden.stamp import Stamp
from ekiden.store import readiness
from ekiden.store.api_keys import ApiKeyStore
from ekiden.store.database import Database
from ekiden.store.dead_letters import DeadLetterStore
from ekiden.store.deliveries import DeliveryStore
from ekiden.store.drafts import DraftStore
from ekiden.store.providers import Breakers, ProviderStates
from ekiden.store.request_rates import RequestRates
from ekiden.store.schedule_runs import RunStore
from ekiden.store.schedules import ScheduleStore
from ekiden.store.schema import ensure_schema
from ekiden.store.secrets import SecretStore
from ekiden.store.session_places import SessionPlaces
from ekiden.store.sessions import SessionStore
from ekiden.store.tasks import TaskStore
from ekiden.store.visits import EndedVisits
from ekiden.store.webhooks import WebhookStore
from ekiden.store.workflows import WorkflowStore
from ekiden_gateway.audience import Audience
from ekiden_gateway.callers import Callers, Limits
from ekiden_gateway.catalogue import Catalogue
from ekiden_gateway.counts import Counts
from ekiden_gateway.feeds import Feeds
from ekiden_gateway.gate_links import GateLinks
from ekiden_gateway.keys import Keyring
from ekiden_gateway.live import LiveUpdates
from ekiden_gateway.settings import PACKAGED_WORKFLOWS, GatewaySettings
from ekiden_gateway.surroundings import Surroundings
from ekiden_gateway.turns import Turns

log = structlog.get_logger()
CLOCK_SECONDS = 30.0
AGAIN_SECONDS = 1.0
DATABASE_TIMEOUT_MS = 5000
ENTERING_AT_ONCE = 16


@dataclass
class Parts:
    """Stores, relay, broker and catalogue, and the loops that keep them connected."""

    settings: GatewaySettings
    database: Database
    publisher: Publisher
    queues: QueueDepth
    around: Surroundings
    live: LiveUpdates
    feeds: Feeds
    counts: Counts
    sessions: SessionStore
    tasks: TaskStore
    drafts: DraftStore
    providers: ProviderStates
    breakers: Breakers
    letters: DeadLetterStore
    schedules: ScheduleStore
    runs: RunStore
    webhooks: WebhookStore
    deliveries: DeliveryStore
    workflows: WorkflowStore
    secrets: SecretStore
    ended_visits: EndedVisits
    relay: Relay
    firing: Firing
    gate_links: GateLinks
    catalogue: Catalogue
    keyring: Keyring
    keys: ApiKeyStore
    callers: Callers
    rates: RequestRates
    places: SessionPlaces
    stamp: Stamp
    entrance: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ENTERING_AT_ONCE))
    turns: Turns = field(default_factory=Turns)
    begun: bool = False
    """Whether schema and workflows are in the database, so that sessions can be created."""
    follow: Callable[["Parts"], Awaitable[None]] | None = None
    """What follows the workflows that this gateway has brought, before it begins."""
    _loops: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @classmethod
    def build(cls, settings: GatewaySettings) -> Self:
        """Raises WorkflowInvalid."""
        folders = [PACKAGED_WORKFLOWS, *([settings.workflows_dir] if settings.workflows_dir else [])]
        catalogue = Catalogue.read(folders, settings.policies)
        database = Database(settings.mongodb_url, settings.mongodb_database, timeout_ms=DATABASE_TIMEOUT_MS)
        stamp = Stamp(database.clock)
        publisher = Publisher(settings.amqp_url, stamp)
        sessions, tasks, drafts = SessionStore(database), TaskStore(database), DraftStore(database)
        queues, providers = QueueDepth(settings.amqp_url), ProviderStates(database)
        workflows, secrets = WorkflowStore(database, settings.policies), SecretStore(database)
        audience = Audience()
        feeds, counts = Feeds(sessions, audience), Counts(sessions, audience)
        keys = ApiKeyStore(database)
        limits = Limits(settings.client_rate_per_minute, settings.client_sessions)
        relay = Relay(sessions, tasks, drafts, workflows, publisher, database.clock, settings.policies)
        schedules, runs, webhooks = ScheduleStore(database), RunStore(database), WebhookStore(database)
        return cls(
            settings=settings,
            database=database,
            publisher=publisher,
            queues=queues,
            around=Surroundings(publisher, queues, providers, tasks),
            live=LiveUpdates(settings.amqp_url, [feeds, counts], audience),
            feeds=feeds,
            counts=counts,
            sessions=sessions,
            tasks=tasks,
            drafts=drafts,
            providers=providers,
            breakers=Breakers(database),
            letters=DeadLetterStore(database),
            schedules=schedules,
            runs=runs,
            webhooks=webhooks,
            deliveries=DeliveryStore(database),
            workflows=workflows,
            secrets=secrets,
            ended_visits=EndedVisits(database),
            relay=relay,
            firing=Firing(schedules, runs, webhooks, relay, database.clock),
            gate_links=GateLinks(secrets),
            catalogue=catalogue,
            keyring=settings.keyring,
            keys=keys,
            callers=Callers(settings.keyring, keys, database.clock, unlocked=settings.auth == "off", defaults=limits),
            rates=RequestRates(database),
            places=SessionPlaces(database),
            stamp=stamp,
        )

    def start(self) -> None:
        """Connect in the background: the gateway answers from the first moment, if only that it cannot yet."""
        loops: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._keep_database,
            self._connect_broker,
            self.live.run_forever,
            self.feeds.rounds.go_forever,
            self.counts.rounds.go_forever,
        ]
        self._loops = [asyncio.create_task(loop()) for loop in loops]

    def end_streams(self) -> None:
        """So that the server can stop with clients connected."""
        self.feeds.stop()
        self.counts.stop()

    async def stop(self) -> None:
        self.end_streams()
        await end(self._loops)
        await self.tasks.flush()
        await self.queues.close()
        await self.publisher.close()
        await self.database.close()

    async def unready(self) -> list[str]:
        """What does not really work right now, one sentence each."""
        database, broker = await asyncio.gather(readiness.unready(self.database), self._broker_unready())
        wrong = database + broker
        if not self.begun:
            wrong.append("schema and workflows are not in the database yet")
        ended = [loop for loop in self._loops if loop.done() and (loop.cancelled() or loop.exception())]
        return wrong + [f"a loop ended: {loop.get_coro()}" for loop in ended]

    async def _broker_unready(self) -> list[str]:
        if not self.publisher.connected:
            return ["the broker is not connected: what is accepted is stored, and sent later"]
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.queues.depth(topology.ORCHESTRATOR)
        except TimeoutError:
            return ["the broker does not answer in time"]
        except Unreachable as error:
            return [str(error)]
        return []

    async def _keep_database(self) -> None:
        """Prepare the database as soon as it answers, then follow its clock."""
        while True:
            try:
                await self.database.synchronise_clock()
                if not self.begun:
                    await ensure_schema(self.database)
                    await self.catalogue.save(self.workflows)
                    if self.follow is not None:
                        await self.follow(self)
                    self.begun = True
                    log.info("gateway_began", workflows=sorted(self.catalogue.packages))
                await self.callers.is_open()
            except Unreachable as error:
                log.warning("database_not_reached", error=str(error))
            except Exception:
                log.exception("preparing_crashed")
            await asyncio.sleep(CLOCK_SECONDS if self.begun else AGAIN_SECONDS)

    async def _connect_broker(self) -> None:
        """Until it was reached once: from there the connection mends itself."""
        while True:
            try:
                await self.publisher.connect()
                await self.queues.connect()
            except Unreachable as error:
                log.warning("broker_not_reached", error=str(error))
            except Exception:
                log.exception("connecting_crashed")
            else:
                return
            await asyncio.sleep(AGAIN_SECONDS)
