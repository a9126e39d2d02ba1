"""The composition root: settings in, adapters built, routes wired, application out. Importing it does nothing."""

import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ekiden_gateway import problems
from ekiden_gateway.middleware import BodyLimit, RequestContext
from ekiden_gateway.parts import Parts
from ekiden_gateway.routes import (
    commands,
    dead_letters,
    drafts,
    events,
    health,
    providers,
    recovery,
    sessions,
    tasks,
    workflows,
)
from ekiden_gateway.settings import GatewaySettings

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection: whoever closes first must not be the one who is being written to."""
_TAGS = [
    {"name": "sessions", "description": "Create sessions, list them, see how far they are"},
    {"name": "commands", "description": "Start, go on, pause, resume, cancel"},
    {"name": "recovery", "description": "The session doctor, and what sets a session going again"},
    {"name": "tasks", "description": "The ledger: what was asked, sent, answered and paid"},
    {"name": "events", "description": "What happened, as a list or live"},
    {"name": "drafts", "description": "What a session gives to its user"},
    {"name": "workflows", "description": "What sessions can be created with"},
    {"name": "providers", "description": "Whether calls to a provider pass: breaker, cool-down, rate"},
    {"name": "dead letters", "description": "Messages nobody could handle"},
    {"name": "service", "description": "For probes and dashboards"},
]


def create_app(settings: GatewaySettings) -> FastAPI:
    """Return the application. Raises WorkflowInvalid with the mistakes of all workflow folders."""
    parts = Parts.build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        parts.start()
        yield
        await parts.stop()

    app = FastAPI(
        title="Ekiden",
        summary="Chain-of-thought sessions over RabbitMQ: from a theme to drafts, paid once",
        version="0.1.0",
        openapi_tags=_TAGS,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    for module in (sessions, commands, recovery, tasks, events, drafts, workflows, providers, dead_letters, health):
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestContext)
    return app


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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.parts.live.stop()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and end with status 0: uvicorn's own would send the signal to the process again."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
