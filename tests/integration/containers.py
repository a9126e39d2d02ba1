"""Broker and database in containers, by testcontainers: the images of docker-compose.yml, on ports of their own."""

import os
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ekiden_native.ports import LOOPBACK, free_port
from tests.integration.servers import ROOT, Servers

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its modules use what it deprecates itself
    from testcontainers.community.mongodb import MongoDbContainer
    from testcontainers.community.rabbitmq import RabbitMqContainer
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

if TYPE_CHECKING:
    from docker.models.containers import Container

CONFIG = ROOT / "deploy/rabbitmq/ekiden.conf"
PORT_SECONDS = 60.0
POLL_SECONDS = 0.05


def _publish(container: DockerContainer, inside: int, port: int) -> None:
    """On loopback only, which `with_bind_ports` has no word for."""
    cast("dict[str, tuple[str, int]]", container.ports)[str(inside)] = (LOOPBACK, port)


class RabbitMQ(RabbitMqContainer):
    """The broker, on a port of ours: one that Docker chooses is another after each start."""

    def __init__(self, port: int) -> None:
        super().__init__(os.environ.get("RABBITMQ_IMAGE") or "rabbitmq:4-management")
        _publish(self, self.port, port)
        self.with_volume_mapping(CONFIG, "/etc/rabbitmq/conf.d/20-ekiden.conf")
        self.url = f"amqp://guest:guest@{LOOPBACK}:{port}/"

    def get_container_host_ip(self) -> str:
        """Where we publish, also when this machine is a container itself."""
        return LOOPBACK

    def works(self) -> bool:
        return bool(self.readiness_probe())


class MongoDB(MongoDbContainer):
    """A replica set of one, which its member and its clients reach by the same address."""

    def __init__(self, port: int) -> None:
        super().__init__(os.environ.get("MONGODB_IMAGE") or "mongo:8", port=port)
        _publish(self, port, port)
        self.with_command(["--replSet", "rs0", "--port", str(port), "--wiredTigerCacheSizeGB", "0.5"])
        self.address = f"{LOOPBACK}:{port}"
        self.url = f"mongodb://{self.address}/?replicaSet=rs0"

    def _configure(self) -> None:
        """No users: with them a replica set would need a key file."""

    def initiate(self) -> None:
        config = {"_id": "rs0", "members": [{"_id": 0, "host": self.address}]}
        with MongoClient[dict[str, Any]](self.address, directConnection=True) as client:
            client.admin.command("replSetInitiate", config)

    def works(self) -> bool:
        with MongoClient[dict[str, Any]](self.address, directConnection=True, serverSelectionTimeoutMS=1000) as client:
            try:
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False


class Containers:
    """Implements `Servers` over the two."""

    def __init__(self, rabbitmq: RabbitMQ, mongod: MongoDB) -> None:
        self._servers = {"rabbitmq": rabbitmq, "mongod": mongod}

    def stop_service(self, service: str) -> None:
        self._container(service).stop(timeout=30)

    def start_service(self, service: str) -> None:
        self._container(service).start()

    def kill(self, service: str) -> None:
        self._container(service).kill()
        self._container(service).start()  # as its restart policy does in Compose

    def pause(self, service: str) -> None:
        self._container(service).pause()

    def resume(self, service: str) -> None:
        self._container(service).unpause()

    def wait_port(self, service: str) -> None:
        """From within: outside, Docker's own proxy listens as soon as the container runs."""
        server, deadline = self._servers[service], time.monotonic() + PORT_SECONDS
        look = ["bash", "-c", f"</dev/tcp/127.0.0.1/{server.port}"]
        while self._container(service).exec_run(look).exit_code != 0:
            assert time.monotonic() < deadline, f"{service} does not listen after {PORT_SECONDS:.0f} s"
            time.sleep(POLL_SECONDS)

    def wait_ready(self, service: str, *, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not self._servers[service].works():
            assert time.monotonic() < deadline, f"{service} does not work after {timeout:.0f} s"
            time.sleep(POLL_SECONDS)

    def _container(self, service: str) -> "Container":
        return self._servers[service].get_wrapped_container()


@contextmanager
def containers() -> Generator[tuple[str, str, Servers]]:
    """Give the addresses of broker and database, and who runs them."""
    testcontainers_config.ryuk_disabled = True  # one image more to fetch, for what the end of the block does
    used: set[int] = set()
    with RabbitMQ(free_port(used)) as rabbitmq, MongoDB(free_port(used)) as mongod:
        mongod.initiate()
        servers = Containers(rabbitmq, mongod)
        servers.wait_ready("mongod")
        yield rabbitmq.url, mongod.url, servers
