"""The sender: takes deliveries that are due, posts them, and notes how that ended. In every orchestrator.

A slow receiver holds up nobody but itself: there are bounds for one host, for one owner and for all. A sender that
dies leaves claims that run out; what it was sending is sent again, under the same `webhook-id`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ekiden.backbone import end
from ekiden.clock import Clock
from ekiden.errors import Unreachable
from ekiden.metrics import WEBHOOK_DELIVERIES
from ekiden.retry import Again
from ekiden.store.deliveries import LANES_AT_ONCE, Claimed, DeliveryStatus, DeliveryStore, Lane
from ekiden.store.webhooks import WebhookStore
from ekiden.webhooks.endpoint import Webhook
from ekiden.webhooks.schedule import FAILING_FOR, GONE, Answer, after
from ekiden.webhooks.signature import signed
from ekiden.webhooks.transport import WebhookClient

log = structlog.get_logger()
IDLE_SECONDS = 0.5
AT_ONCE = 64
OF_ONE_OWNER = 32
TO_ONE_HOST = 4
STOP_SECONDS = 5.0
"""What is still under way by then is left to its claim, and sent again by somebody else."""


@dataclass
class WebhookSender:
    """`dice` gives random numbers in [0, 1)."""

    webhooks: WebhookStore
    deliveries: DeliveryStore
    client: WebhookClient
    clock: Clock
    dice: Callable[[], float] = random.random
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _hosts: Counter[str] = field(default_factory=Counter[str])
    _owners: Counter[str] = field(default_factory=Counter[str])

    async def pass_once(self) -> float:
        """Begin what is due, and wait until a place may be free or something due. Raises Unreachable."""
        await self.begin_due()
        await self._pause()
        return 0.0

    async def send_due(self) -> None:
        """Send all that is due, one round after the other, until there is nothing left. Raises Unreachable."""
        while await self.begin_due() or self._sending:
            if self._sending:
                await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)

    async def begin_due(self) -> int:
        """Begin to send what is due, within the bounds; answer how many. Raises Unreachable."""
        lanes, begun = set(await self.deliveries.lanes_due()), 0
        while len(self._sending) < AT_ONCE and (free := [lane for lane in lanes if self._has_room(lane)]):
            some = random.sample(free, min(len(free), LANES_AT_ONCE))  # where there are more, each has its turn
            if (claimed := await self.deliveries.claim(some)) is None:
                lanes.difference_update(some)
                continue
            self._begin(claimed)
            begun += 1
        return begun

    def _has_room(self, lane: Lane) -> bool:
        return self._hosts[lane.host] < TO_ONE_HOST and self._owners[lane.owner] < OF_ONE_OWNER

    def _begin(self, claimed: Claimed) -> None:
        self._hosts[claimed.lane.host] += 1
        self._owners[claimed.lane.owner] += 1
        task = asyncio.create_task(self._send(claimed))
        self._sending.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._sending.discard(task)
            self._hosts -= Counter([claimed.lane.host])
            self._owners -= Counter([claimed.lane.owner])

        task.add_done_callback(ended)

    async def _send(self, claimed: Claimed) -> None:
        with structlog.contextvars.bound_contextvars(webhook=claimed.webhook_id, delivery=claimed.id):
            try:
                await self._deliver(claimed)
            except Unreachable as error:  # it comes again when its claim runs out
                log.warning("webhooks_postponed", error=str(error))
            except Exception:
                log.exception("webhooks_crashed")

    async def _deliver(self, claimed: Claimed) -> None:
        webhook = await self.webhooks.load(claimed.webhook_id)
        if webhook is None:
            await self.deliveries.forget(claimed.webhook_id)
            return
        if webhook.disabled_at is not None:
            WEBHOOK_DELIVERIES.labels(outcome="disabled").inc()
            await self.deliveries.give_up(claimed, f"the webhook is disabled: {webhook.disabled_because}")
            return
        now = self.clock.now()
        headers = signed(claimed.id, now, claimed.body, webhook.signing(now))
        answer = await self.client.post(webhook.url, claimed.body, headers)
        if answer.took:
            await self._delivered(claimed, webhook, answer)
        else:
            await self._failed(claimed, webhook, answer)

    async def _delivered(self, claimed: Claimed, webhook: Webhook, answer: Answer) -> None:
        WEBHOOK_DELIVERIES.labels(outcome="delivered").inc()
        await self.deliveries.end(claimed, answer, DeliveryStatus.DELIVERED)
        if webhook.failing_since is not None:
            await self.webhooks.note_success(webhook.id)

    async def _failed(self, claimed: Claimed, webhook: Webhook, answer: Answer) -> None:
        verdict = after(answer, claimed.failed + 1, self.dice())
        if isinstance(verdict, Again):
            WEBHOOK_DELIVERIES.labels(outcome="retried").inc()
            await self.deliveries.again(claimed, answer, verdict.delay_seconds)
        else:
            WEBHOOK_DELIVERIES.labels(outcome="failed").inc()
            why = "the receiver said that it is gone" if answer.status == GONE else "its last attempt has failed"
            await self.deliveries.end(claimed, answer, DeliveryStatus.FAILED, why)
            log.warning("webhook_delivery_failed", status=answer.status, error=answer.error)
        await self._judge(webhook, answer)

    async def _judge(self, webhook: Webhook, answer: Answer) -> None:
        """Disable what says that it is gone, and what has taken nothing for days."""
        now = self.clock.now()
        if answer.status == GONE:
            why = "its receiver answered 410 Gone"
        elif webhook.failing_since is None:
            await self.webhooks.note_failure(webhook.id, now)
            return
        elif now - webhook.failing_since >= FAILING_FOR:
            why = f"nothing has arrived for {FAILING_FOR.days} days"
        else:
            return
        if await self.webhooks.disable(webhook.id, why, now):
            log.warning("webhook_disabled", why=why)

    async def _pause(self) -> None:
        """Until something may be due, or a place is free."""
        if not self._sending:
            await asyncio.sleep(IDLE_SECONDS)
            return
        await asyncio.wait(self._sending, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """Let what is under way end, for a while."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=STOP_SECONDS)
        await end(tuple(self._sending))
