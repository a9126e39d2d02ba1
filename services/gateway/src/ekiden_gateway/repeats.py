"""Repeats: whether a request was carried out before under its Idempotency-Key. Each route has a store that knows."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request

from ekiden.domain.ids import ScheduleId, SessionId
from ekiden_gateway.parts import Parts
from ekiden_gateway.schedules import order_of

CarriedOut = Callable[[Request, Parts, str, str], Awaitable[bool]]
"""Of a request, a client and its key; may raise Unreachable."""


async def carried_out(request: Request, parts: Parts, client: str) -> bool:
    """Whether a client's request of this key was carried out at this route. A key is nothing to a route without one."""
    key = request.headers.get("Idempotency-Key")
    asks = ROUTES.get(getattr(request.scope.get("route"), "operation_id", None))
    return key is not None and asks is not None and await asks(request, parts, client, key)


async def _session_created(request: Request, parts: Parts, client: str, key: str) -> bool:
    return await parts.sessions.created_under(client, key) is not None


async def _said(request: Request, parts: Parts, client: str, key: str) -> bool:
    return await parts.sessions.accepted_before(client, key, SessionId(request.path_params["sessionId"]))


async def _schedule_created(request: Request, parts: Parts, client: str, key: str) -> bool:
    return await parts.schedules.created_under(client, key) is not None


async def _fired(request: Request, parts: Parts, client: str, key: str) -> bool:
    schedule = await parts.schedules.load(ScheduleId(request.path_params["scheduleId"]))
    if schedule is None or schedule.owner != client:
        return False
    return await parts.firing.ordered(schedule, order_of(key)) is not None


async def _webhook_created(request: Request, parts: Parts, client: str, key: str) -> bool:
    return await parts.webhooks.created_under(client, key) is not None


async def _rotated(request: Request, parts: Parts, client: str, key: str) -> bool:
    webhook = await parts.webhooks.load(request.path_params["webhookId"])
    return webhook is not None and webhook.owner == client and webhook.was_rotated_by(key)


async def _key_created(request: Request, parts: Parts, client: str, key: str) -> bool:
    return await parts.keys.created_under(client, key) is not None


ROUTES: Mapping[str | None, CarriedOut] = {
    "createSession": _session_created,
    "startSession": _said,
    "continueSession": _said,
    "pauseSession": _said,
    "resumeSession": _said,
    "cancelSession": _said,
    "recoverSession": _said,
    "answerGate": _said,
    "createSchedule": _schedule_created,
    "fireSchedule": _fired,
    "createWebhook": _webhook_created,
    "rotateWebhookSecret": _rotated,
    "createKey": _key_created,
}
"""By operation: all that take an Idempotency-Key, and no other."""
