"""The life of a service's process: start when broker and database answer, serve health and metrics, stop on SIGTERM."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST

from ekiden.errors import Unreachable
from ekiden.metrics import TABLE

log = structlog.get_logger()
START_AGAIN_SECONDS = 0.5
LONGEST_REQUEST_BYTES = 8192
COLLECT_AFTER_OBJECTS = 50_000
"""Python's own 700 are made by one step: the collector took a tenth of its processor time, to find next to nothing."""
READY_SECONDS = 3.0
"""A probe that hangs says less than one that fails: whatever is not known by then does not work."""


class Service(Protocol):
    """What `run` needs of a service."""

    async def start(self) -> None:
        """Connect and begin to work. May raise Unreachable: then it is called again."""
        ...

    async def ready(self) -> list[str]:
        """What does not really work right now, one sentence each; empty when all does."""
        ...

    async def stop(self) -> None:
        """Stop taking on work, finish or give back what is under way, close."""
        ...


def run(service: Service, *, name: str, host: str, port: int) -> None:
    """Run a service until SIGTERM or SIGINT; its `name` says which metrics it has."""
    gc.freeze()  # what the start has made stays: it need not be looked through again and again
    gc.set_threshold(COLLECT_AFTER_OBJECTS)
    uvloop.run(_live(service, name, host, port))


async def _live(service: Service, name: str, host: str, port: int) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = await asyncio.start_server(Health(service, name).answer, host, port)
    address = server.sockets[0].getsockname()
    stopped = asyncio.create_task(stopping.wait())
    started = asyncio.create_task(start_when_possible(service))
    await asyncio.wait({stopped, started}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.is_set():
        started.result()
        log.info("service_started", metrics=f"http://{address[0]}:{address[1]}/metrics")
        await stopped
    log.info("stop_requested")
    started.cancel()
    await asyncio.gather(started, return_exceptions=True)
    await service.stop()
    server.close()
    log.info("service_stopped")


async def start_when_possible(service: Service) -> None:
    """Start, and start again until broker and database answer."""
    while True:
        try:
            await service.start()
        except Unreachable as error:
            log.warning("start_postponed", error=str(error))
            await asyncio.sleep(START_AGAIN_SECONDS)
        else:
            return


class Health:
    """`/healthz`, `/readyz` and `/metrics` over the smallest HTTP that a probe speaks."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name
        self._routes: dict[str, Callable[[], Awaitable[tuple[int, str, bytes]]]] = {
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("ascii", "replace").split("?")[0]
                status, kind, body = await self._routes.get(path, self._unknown)()
                top = f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}\r\nContent-Type: {kind}\r\n"
                writer.write(f"{top}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
                await writer.drain()
        except (OSError, EOFError, TimeoutError, ValueError, IndexError, asyncio.LimitOverrunError) as error:
            log.debug("probe_failed", error=repr(error))
        finally:
            writer.close()

    async def _alive(self) -> tuple[int, str, bytes]:
        return 200, "text/plain", b"alive\n"

    async def _ready(self) -> tuple[int, str, bytes]:
        try:
            async with asyncio.timeout(READY_SECONDS):
                wrong = await self._service.ready()
        except TimeoutError:
            wrong = [f"no answer within {READY_SECONDS:g} s"]
        return (503 if wrong else 200), "text/plain", "\n".join([*(wrong or ["ready"]), ""]).encode()

    async def _metrics(self) -> tuple[int, str, bytes]:
        return 200, CONTENT_TYPE_LATEST, TABLE.exposition(self._name)

    async def _unknown(self) -> tuple[int, str, bytes]:
        return 404, "text/plain", b"not found\n"
