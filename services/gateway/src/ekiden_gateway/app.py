"""The composition root: settings in, adapters built, routes wired, application out. Importing it does nothing."""

import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib.metadata import version
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from ekiden import tracing
from ekiden_gateway import problems
from ekiden_gateway import schedules as following
from ekiden_gateway.addresses import Addresses
from ekiden_gateway.guard import Guard, SecurityHeaders
from ekiden_gateway.middleware import BodyLimit, Discreet, Head, RequestContext
from ekiden_gateway.openapi import document
from ekiden_gateway.page import screens
from ekiden_gateway.page.routing import explain
from ekiden_gateway.parts import Parts
from ekiden_gateway.routes import (
    commands,
    counts,
    dead_letters,
    documents,
    drafts,
    events,
    gates,
    health,
    keys,
    own_key,
    providers,
    recovery,
    replays,
    reports,
    schedule_runs,
    schedules,
    sessions,
    tasks,
    webhook_deliveries,
    webhooks,
    workflows,
)
from ekiden_gateway.settings import GatewaySettings

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection: whoever closes first must not be the one who is being written to."""
SILENT_SECONDS = 60
"""After so long the kernel cuts off a client that takes nothing of what it is sent: four signs of life of a stream."""
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_TAGS = [
    {"name": "sessions", "description": "Create sessions, list them, see how far they are"},
    {"name": "commands", "description": "Start, go on, pause, resume, cancel"},
    {
        "name": "gates",
        "description": "Look at what was found before going on, and decide; also with a link in place of a key",
    },
    {"name": "recovery", "description": "The session doctor, and what sets a session going again"},
    {"name": "tasks", "description": "The ledger: what was asked, sent, answered and paid"},
    {"name": "events", "description": "What happened, as a list or live"},
    {"name": "drafts", "description": "What a session gives to its user"},
    {"name": "schedules", "description": "Sessions that begin by the clock: cron with a time zone, a budget a month"},
    {"name": "workflows", "description": "What sessions can be created with"},
    {"name": "providers", "description": "Whether calls to a provider pass: breaker, cool-down, rate"},
    {"name": "dead letters", "description": "Messages nobody could handle"},
    {"name": "keys", "description": "API keys: make, list, limit, revoke"},
    {"name": "webhooks", "description": "Who is told what happens, how each telling went, and telling it again"},
    {"name": "documents", "description": "What there is to know about the API"},
    {"name": "service", "description": "For probes and dashboards"},
]
_DESCRIPTION = """
Errors are `application/problem+json` (RFC 9457); their `type` is a path at which the kind of problem is explained.
Lists are pages: give `nextCursor` as `cursor` for what follows. Unknown fields and query parameters are refused.
A command may carry an `Idempotency-Key`. GET answers HEAD as well. Times are RFC 3339 in UTC, money is USD.
""".strip()
_MODULES = (
    counts,  # before the sessions, of which its path would name one
    sessions,
    commands,
    gates,
    recovery,
    replays,
    tasks,
    events,
    drafts,
    reports,
    schedules,
    schedule_runs,
    workflows,
    providers,
    dead_letters,
    own_key,  # before the keys, of which its path would name one
    keys,
    webhooks,
    webhook_deliveries,
    health,
    documents,
    *screens.MODULES,
)
ROUTES = [route for module in _MODULES for route in module.router.routes if isinstance(route, APIRoute)]


def create_app(settings: GatewaySettings) -> FastAPI:
    """Return the application. Raises WorkflowInvalid with the mistakes of all workflow folders."""
    parts = Parts.build(settings)
    parts.follow = following.follow

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        parts.start()
        yield
        await parts.stop()

    app = bare_app(lifespan=lifespan, telemetry=_telemetry())
    app.state.parts = parts
    app.state.openapi = cache(partial(_document, app, parts))
    problems.install(app, explain)
    app.add_middleware(BodyLimit)
    app.add_middleware(Addresses, routes=ROUTES)
    app.add_middleware(Guard, names=lambda: settings.names if not parts.callers.asks else None)
    app.add_middleware(RequestContext)
    app.add_middleware(Discreet)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Head)
    return app


def bare_app(**more: Any) -> FastAPI:
    """The routes and nothing behind them. Documents and pages of the API are routes of ours, in `documents`."""
    app = FastAPI(
        title="Ekiden",
        summary="Chain-of-thought sessions over RabbitMQ: from a theme to drafts, paid once",
        description=_DESCRIPTION,
        version=version("ekiden-gateway"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        openapi_url=None,
        redirect_slashes=False,  # a slash too many is a wrong address: behind a proxy the redirect would leave it
        **more,
    )
    for module in _MODULES:
        app.include_router(module.router)
    return app


def _document(app: FastAPI, parts: Parts, keys: bool) -> dict[str, Any]:
    return document(app, parts.catalogue, keys=keys)


def _telemetry() -> TelemetryConfig:
    """FastAPI's own spans of requests; its metrics and logs would be second ones beside ours."""
    return {
        "tracing": tracing.is_on(),
        "tracer_provider": tracing.provider(),
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope["path"] in _PROBES,
    }


class Server(uvicorn.Server):
    """Ends the streams of events before it waits for connections to close."""

    def __init__(self, app: FastAPI, settings: GatewaySettings) -> None:
        self.parts: Parts = app.state.parts
        config = uvicorn.Config(
            app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in (one for server in self.servers for one in server.sockets):  # what they accept inherits it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_SECONDS * 1000)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.parts.end_streams()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and end with status 0: uvicorn's own would send the signal to the process again."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
