"""A broker and a database that tests may stop, hang and kill: in containers where an engine answers, else natively."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ekiden_native import Stack
from ekiden_native.ports import own_ports

ROOT = Path(__file__).parents[2]


class Servers(Protocol):
    """What this folder does to its two servers, `rabbitmq` and `mongod`; a native `Stack` can do it as it is."""

    def stop_service(self, service: str) -> None:
        """End it in order, and leave it down."""
        ...

    def start_service(self, service: str) -> None:
        """Start it again, without waiting for it."""
        ...

    def kill(self, service: str) -> object:
        """Kill it; it comes back by itself."""
        ...

    def pause(self, service: str) -> None: ...

    def resume(self, service: str) -> None: ...

    def wait_port(self, service: str) -> None:
        """Return when it listens."""
        ...

    def wait_ready(self, service: str, *, timeout: float = 30.0) -> None:
        """Return when it works."""
        ...


def in_containers() -> bool:
    """The Makefile's rule: STACK says so, or an engine answers."""
    stack = os.environ.get("STACK")
    if stack not in (None, "", "docker", "native"):
        raise ValueError(f"STACK={stack}: there are docker and native")
    return stack == "docker" or (not stack and _an_engine_answers())


def _an_engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def native(folder: Path) -> Generator[tuple[str, str, Servers]]:
    """Give the addresses of broker and database, and who runs them."""
    stack = Stack(folder, services={}, env=own_ports())
    try:
        stack.up()
        yield stack.env["EKIDEN_AMQP_URL"], stack.env["EKIDEN_MONGODB_URL"], stack
    finally:
        stack.down(wipe=True)
