"""The composition root: settings in, application out."""

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ekiden_simulator import models
from ekiden_simulator.connection import CuttableProtocol
from ekiden_simulator.control import control_routes
from ekiden_simulator.openai_chat import OpenAIChat
from ekiden_simulator.perplexity_agent import PerplexityAgent
from ekiden_simulator.settings import Settings
from ekiden_simulator.world import World

_KEEP_ALIVE_SECONDS = 75
"""Longer than any client keeps an idle connection: only a scripted fault shall cut one."""
_GRACE_SECONDS = 1


class SimulatorMark:
    """Marks every response with `x-ekiden-simulator: 1`, so that nobody takes an answer for a real one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and add the header to the start of a response."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-ekiden-simulator"] = "1"
            await send(message)

        await self._app(scope, receive, send_marked if scope["type"] == "http" else send)


def create_app(settings: Settings) -> FastAPI:
    """Return the application with a world of its own. Faults that cut a connection need `create_server`."""
    world = World(settings)
    routes = [*OpenAIChat(world).routes(), *PerplexityAgent(world).routes(), *models.routes()]
    app = FastAPI(title="Ekiden simulator", openapi_url=None, routes=[*routes])
    app.include_router(control_routes(world))
    app.add_middleware(SimulatorMark)
    return app


def create_server(settings: Settings) -> uvicorn.Server:
    """Return the server, not yet started, with the protocol that can cut connections."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
