"""A RabbitMQ node of our own: its files, its environment, and the question whether it serves.

Everything it listens on is loopback: AMQP, Erlang distribution, and a port mapper (epmd) that belongs to this
stack alone, so that stacks do not meet and none is left behind.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import aiormq.exceptions

from ekiden_native.ports import LOOPBACK
from ekiden_native.probe import Probe, accepts
from ekiden_native.state_dir import StateDir, write_atomically

# A small write-ahead log is read back sooner after a kill than the default of 512 MiB.
_CONFIG = """\
listeners.tcp.1 = {host}:{port}
loopback_users.guest = true
disk_free_limit.absolute = 100MB
raft.wal_max_size_bytes = 67108864
log.console = true
log.console.level = info
log.file = false
"""
_METRICS_CONFIG = """\
prometheus.tcp.ip = {host}
prometheus.tcp.port = {port}
"""


@dataclass(frozen=True)
class RabbitMQ:
    """One node: where it keeps its state, which server script runs it, and its ports.

    Without a `metrics_port` it runs without its Prometheus plugin.
    """

    state: StateDir
    server: Path
    epmd: Path
    port: int
    distribution_port: int
    epmd_port: int
    metrics_port: int | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}/"

    @property
    def command(self) -> tuple[str, ...]:
        """The server script, told to become beam.smp instead of watching over it.

        RABBITMQ_ALLOW_INPUT in `environment` makes the script exec; -noinput takes the Erlang shell away again.
        """
        return (str(self.server), "-noinput")

    @property
    def epmd_command(self) -> tuple[str, ...]:
        return (str(self.epmd), "-port", str(self.epmd_port), "-address", LOOPBACK)

    @property
    def _home(self) -> Path:
        return self.state.data / "rabbitmq"

    def environment(self, machine: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of the machine without its own RabbitMQ and Erlang settings, and with ours."""
        foreign = ("RABBITMQ_", "ERL_", "ELIXIR_", "NOTIFY_SOCKET")
        return {name: value for name, value in machine.items() if not name.startswith(foreign)} | {
            "HOME": str(self._home),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(self.state.log),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(self._home / "mnesia"),
            "RABBITMQ_NODENAME": f"ekiden-{self.state.token}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": str(self._home / "node.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def prepare(self) -> None:
        """Write configuration and cookie; the cookie is made once, because a node keeps to its own."""
        self._home.mkdir(parents=True, exist_ok=True)
        config, plugins = _CONFIG.format(host=LOOPBACK, port=self.port), "[]"
        if self.metrics_port is not None:
            config += _METRICS_CONFIG.format(host=LOOPBACK, port=self.metrics_port)
            plugins = "[rabbitmq_prometheus]"
        write_atomically(self._home / "rabbitmq.conf", config)
        write_atomically(self._home / "enabled_plugins", f"{plugins}.\n")
        cookie = self._home / ".erlang.cookie"
        if not cookie.exists():
            write_atomically(cookie, secrets.token_hex(16), mode=0o400)

    @property
    def serves(self) -> Probe:
        """Log in; the port alone opens a moment before the node lets anybody work."""
        listens = accepts(self.port)

        async def probe() -> bool:
            if not await listens():
                return False
            try:
                async with asyncio.timeout(5):
                    connection = await aio_pika.connect(self.url)
            except (OSError, TimeoutError, aiormq.exceptions.AMQPError):
                return False
            await connection.close()
            return True

        return probe
