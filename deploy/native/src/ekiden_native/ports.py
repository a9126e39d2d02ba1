"""Which loopback ports a stack listens on.

A port asked for by name is used or refused, never replaced. Else the port of the last run, else the usual one,
else a free one.
"""

import random
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from ekiden_native.errors import PortTaken

LOOPBACK = "127.0.0.1"

# Below Linux's range for outgoing connections (32768 and up): there, a client that keeps trying a port whose
# server is down can be given that very port as its own, connect to itself, and keep the server from coming back.
_FREE_PORTS = range(20000, 32768)


@dataclass(frozen=True)
class Listener:
    """A port people know: the variable that asks for it, where stack.env tells it, its usual number."""

    asked_by: str
    told_in: str
    usual: int


LISTENERS: Mapping[str, Listener] = {
    "gateway": Listener("EKIDEN_GATEWAY_PORT", "EKIDEN_GATEWAY_URL", 8000),
    "rabbitmq": Listener("EKIDEN_AMQP_PORT", "EKIDEN_AMQP_URL", 5672),
    "mongod": Listener("EKIDEN_MONGODB_PORT", "EKIDEN_MONGODB_URL", 27017),
    "simulator": Listener("EKIDEN_SIMULATOR_PORT", "EKIDEN_SIMULATOR_URL", 8090),
    "prometheus": Listener("EKIDEN_PROMETHEUS_PORT", "EKIDEN_PROMETHEUS_URL", 9090),
}


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen()
        except OSError:
            return False
    return True


def free_port(avoid: set[int], free: Callable[[int], bool] = is_free) -> int:
    """Return a free port that is not in `avoid`, and put it there."""
    candidates = random.sample(_FREE_PORTS, k=len(_FREE_PORTS))
    port = next(port for port in candidates if port not in avoid and free(port))
    avoid.add(port)
    return port


def own_ports() -> dict[str, str]:
    """Return settings that give a stack free ports: it meets no other, also while a server is being restarted."""
    used: set[int] = set()
    return {listener.asked_by: str(free_port(used)) for listener in LISTENERS.values()}


def choose_ports(
    asked: Mapping[str, str], earlier: Mapping[str, str], free: Callable[[int], bool] = is_free
) -> dict[str, int]:
    """Choose a port for every listener.

    `asked` is the environment, `earlier` the stack.env of the last run. Raises PortTaken.
    """
    chosen: dict[str, int] = {}
    used: set[int] = set()
    for name, listener in LISTENERS.items():
        if listener.asked_by in asked:
            chosen[name] = _asked_port(listener.asked_by, asked[listener.asked_by], used, free)
            used.add(chosen[name])
    for name, listener in LISTENERS.items():
        if name not in chosen:
            wanted = [_told_port(earlier.get(listener.told_in)), listener.usual]
            port = next((port for port in wanted if port and port not in used and free(port)), None)
            chosen[name] = port or free_port(used, free)
            used.add(chosen[name])
    return chosen


def _asked_port(variable: str, value: str, used: set[int], free: Callable[[int], bool]) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise PortTaken(f"{variable}={value} is no port number.")
    if int(value) in used or not free(int(value)):
        raise PortTaken(f"Port {value} is taken. It was asked for by name ({variable}), so no other one is used.")
    return int(value)


def _told_port(url: str | None) -> int | None:
    return urlsplit(url).port if url else None
