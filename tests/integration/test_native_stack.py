"""The native stack for real: a broker, a database and a stand-in service, killed and started again.

One stack serves the whole module; tests that end a stack make their own.
"""

import asyncio
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pymongo import MongoClient, WriteConcern

from ekiden_native import Program, Stack, StackError
from ekiden_native.errors import AlreadyUp, NotReady, NotRunning, PortTaken
from ekiden_native.ports import LISTENERS, LOOPBACK

RESTART_SECONDS = 3.0
USUAL_PORTS = {listener.usual for listener in LISTENERS.values()}

STAND_IN = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = repr(dict(os.environ)).encode()
        self.send_response(200 if self.path in ("/readyz", "/environ") else 404)
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["EKIDEN_METRICS_PORT"])), Handler).serve_forever()
"""


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """Return how long it took for the condition to hold."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it never came true"
        time.sleep(0.01)
    return time.monotonic() - started


def started_again(stack: Stack, service: str, killed: int) -> float:
    """Return how long it took until another process of that name ran."""

    def another() -> bool:
        with suppress(NotRunning):
            return stack.pid(service) != killed
        return False

    return eventually(another)


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def alive(pid: int) -> bool:
    """Tell whether the process still exists; a dead one that nobody has waited for yet does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def descendants(pid: int) -> set[int]:
    children = {
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    }
    return children.union(*(descendants(child) for child in children))


def supervisor(stack: Stack) -> int:
    return int(stack.state.supervisor_pid_file.read_text())


def processes(stack: Stack) -> set[int]:
    return {supervisor(stack)} | descendants(supervisor(stack))


def listening_addresses(pids: set[int]) -> set[str]:
    """Return the local addresses, in the kernel's hexadecimal, on which the processes accept connections."""
    sockets: set[str] = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                sockets.add(os.readlink(descriptor))
    addresses: set[str] = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state in ("0A", "07") and f"socket:[{inode}]" in sockets:
                addresses.add(local.split(":")[0])
    return addresses


@contextmanager
def somebody_elses_server(port: int) -> Generator[None]:
    """Hang up on everybody: the database asks its old address whether that is still itself."""

    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with Server((LOOPBACK, port), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@asynccontextmanager
async def confirmed_channel(stack: Stack) -> AsyncGenerator[AbstractChannel]:
    connection = await aio_pika.connect(stack.env["EKIDEN_AMQP_URL"], timeout=5)
    async with connection:
        yield await connection.channel(on_return_raises=True)


async def publish(channel: AbstractChannel, queue: str, body: bytes) -> None:
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, routing_key=queue, timeout=5)


async def declare(channel: AbstractChannel, queue: str) -> aio_pika.abc.AbstractQueue:
    return await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    script = tmp_path_factory.mktemp("service") / "stand_in.py"
    script.write_text(STAND_IN)
    return {"stand-in": Program((sys.executable, str(script)))}


@pytest.fixture(scope="module")
def occupied_usual_ports() -> Iterator[None]:
    """Hold every usual port that nobody else holds."""
    listeners = [socket.socket() for _ in USUAL_PORTS]
    for listener, port in zip(listeners, USUAL_PORTS, strict=True):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind((LOOPBACK, port))
            listener.listen()
    yield
    for listener in listeners:
        listener.close()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, stand_in: dict[str, Program], occupied_usual_ports: None
) -> Iterator[Stack]:
    state = tmp_path_factory.mktemp("a-state-directory-whose-name-is-too-long-for-the-path-of-a-unix-socket" * 2)
    env = {"EKIDEN_LOG_LEVEL": "warning"}
    stack = Stack(state, services={"stand-in": 1}, programs=stand_in, env=env, prometheus=True)
    try:
        stack.up()
        stack.wait_ready("prometheus")
        yield stack
    finally:
        stack.down(wipe=True)


@pytest.fixture
def own_stack(tmp_path: Path, stand_in: dict[str, Program]) -> Iterator[Stack]:
    stack = Stack(tmp_path, services={"stand-in": 1}, programs=stand_in)
    try:
        yield stack
    finally:
        stack.down(wipe=True)


def test_pid_files_name_the_processes_that_work(stack: Stack) -> None:
    assert comm(stack.pid("rabbitmq")) == "beam.smp"
    assert comm(stack.pid("mongod")) == "mongod"
    assert comm(stack.pid("epmd")) == "epmd"
    assert comm(stack.pid("stand-in")).startswith("python")
    assert comm(stack.pid("prometheus")) == "prometheus"


def test_ps_knows_every_process(stack: Stack) -> None:
    rows = {f"{row['service']}-{row['n']}": row for row in stack.ps()}

    assert rows.keys() == {"epmd-1", "rabbitmq-1", "mongod-1", "prometheus-1", "stand-in-1"}
    assert all(row["state"] == "ready" for row in rows.values())
    assert all(row["pid"] == stack.pid(row["service"]) for row in rows.values())


def test_a_usual_port_that_is_taken_is_replaced(stack: Stack) -> None:
    assert not USUAL_PORTS & {row["port"] for row in stack.ps()}


def test_a_port_asked_for_by_name_is_not_replaced(tmp_path: Path) -> None:
    with closing(socket.socket()) as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(PortTaken, match=str(port)):
            Stack(tmp_path, services={}, env={"EKIDEN_AMQP_PORT": str(port)}).up()


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    """Whoever looks up a name has a socket on any address for that moment; who listens has it for good."""
    loopback = {"0100007F", "00000000000000000000000001000000"}
    until = time.monotonic() + 10

    while not (addresses := listening_addresses(processes(stack))) <= loopback and time.monotonic() < until:
        time.sleep(0.1)

    assert addresses <= loopback
    assert "0100007F" in addresses


def test_services_are_told_the_addresses_and_the_callers_settings(stack: Stack) -> None:
    port = next(row["port"] for row in stack.ps() if row["service"] == "stand-in")
    with closing(socket.create_connection((LOOPBACK, port))) as connection:
        connection.sendall(b"GET /environ HTTP/1.0\r\n\r\n")
        told = connection.makefile("rb").read().decode()

    assert f"'EKIDEN_AMQP_URL': '{stack.env['EKIDEN_AMQP_URL']}'" in told
    assert f"'EKIDEN_MONGODB_URL': '{stack.env['EKIDEN_MONGODB_URL']}'" in told
    assert "'EKIDEN_LOG_LEVEL': 'warning'" in told
    assert "'OPENAI_API_KEY': 'simulator'" in told


def test_up_on_a_stack_that_is_up_changes_nothing(stack: Stack) -> None:
    before = processes(stack)

    stack.up()

    assert processes(stack) == before


def test_a_stack_does_not_change_its_providers_while_it_runs(stack: Stack) -> None:
    real = {"OPENAI_API_KEY": "sk-real", "PERPLEXITY_API_KEY": "pplx-real"}

    with pytest.raises(AlreadyUp, match="simulated"):
        Stack(stack.state.root, services={}, env=real, simulate=False).up()


async def test_confirmed_messages_survive_a_kill_of_the_broker(stack: Stack) -> None:
    async with confirmed_channel(stack) as channel:
        await declare(channel, "kept")
        declared_at = time.monotonic()
        for n in range(50):
            await publish(channel, "kept", str(n).encode())
        # RabbitMQ 3.10 loses confirmed messages of a quorum queue that it was told of a moment before it is killed.
        await asyncio.sleep(max(0.0, declared_at + 5.0 - time.monotonic()))
    port = stack.env["EKIDEN_AMQP_URL"]

    killed = stack.kill("rabbitmq")

    assert await asyncio.to_thread(started_again, stack, "rabbitmq", killed) < RESTART_SECONDS
    assert await asyncio.to_thread(eventually, lambda: comm(stack.pid("rabbitmq")) == "beam.smp") < RESTART_SECONDS
    await asyncio.to_thread(stack.wait_ready, "rabbitmq")
    assert stack.env["EKIDEN_AMQP_URL"] == port
    async with confirmed_channel(stack) as channel:
        queue = await declare(channel, "kept")
        await publish(channel, "kept", b"50")
        received: set[int] = set()
        async with asyncio.timeout(10), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                received.add(int(message.body))
                if len(received) == 51:
                    break
    assert received == set(range(51))


def test_journaled_writes_survive_a_kill_of_the_database(stack: Stack) -> None:
    with MongoClient(stack.env["EKIDEN_MONGODB_URL"], retryWrites=True) as client:
        collection = client["test"].get_collection("kept", write_concern=WriteConcern(w="majority", j=True))
        collection.insert_one({"_id": 1})

        killed = stack.kill("mongod")
        assert started_again(stack, "mongod", killed) < RESTART_SECONDS
        stack.wait_ready("mongod")

        collection.insert_one({"_id": 2})
        assert {document["_id"] for document in collection.find()} == {1, 2}


def test_a_service_that_dies_is_started_again_on_its_port(stack: Stack) -> None:
    def port() -> int:
        return next(row["port"] for row in stack.ps() if row["service"] == "stand-in")

    before = port()
    killed = stack.kill("stand-in")

    assert started_again(stack, "stand-in", killed) < RESTART_SECONDS
    stack.wait_ready("stand-in")
    assert port() == before
    assert next(row["restarts"] for row in stack.ps() if row["service"] == "stand-in") >= 1


def test_a_service_that_keeps_dying_is_still_started_again_in_time(stack: Stack) -> None:
    for _ in range(4):
        killed = stack.kill("stand-in")
        assert started_again(stack, "stand-in", killed) < RESTART_SECONDS
    stack.wait_ready("stand-in")


def test_a_paused_process_goes_on_where_it_was(stack: Stack) -> None:
    pid = stack.pid("stand-in")
    stack.pause("stand-in")
    assert eventually(lambda: ") T " in Path(f"/proc/{pid}/stat").read_text()) < 1

    stack.resume("stand-in")

    assert eventually(lambda: ") T " not in Path(f"/proc/{pid}/stat").read_text()) < 1
    assert stack.pid("stand-in") == pid


def test_a_stopped_service_stays_down_until_it_is_started(stack: Stack) -> None:
    stack.stop_service("stand-in")
    with pytest.raises(NotRunning):
        stack.pid("stand-in")
    assert next(row["state"] for row in stack.ps() if row["service"] == "stand-in") == "stopped"

    stack.start_service("stand-in")

    stack.wait_ready("stand-in")
    stack.wait_port("stand-in")


def test_a_service_is_scaled_up_and_down(stack: Stack) -> None:
    stack.scale({"stand-in": 3})
    grown = {stack.pid("stand-in", n) for n in (1, 2, 3)}
    targets = stack.env["EKIDEN_METRICS_TARGETS"].split()

    stack.scale({"stand-in": 1})

    assert len(grown) == len({target.partition("=")[2] for target in targets}) == 3
    assert [target.partition("=")[0] for target in targets] == ["stand-in-1", "stand-in-2", "stand-in-3"]
    assert [pid for pid in grown if alive(pid)] == [stack.pid("stand-in")]
    assert not stack.state.pid_file("stand-in", 2).exists()


def test_a_service_that_nobody_knows_cannot_be_scaled(stack: Stack) -> None:
    with pytest.raises(StackError, match="No such service: nobody"):
        stack.scale({"nobody": 2})


async def test_two_stacks_share_nothing(stack: Stack, own_stack: Stack) -> None:
    await asyncio.to_thread(own_stack.up)

    def ports(of: Stack) -> set[int]:
        return {row["port"] for row in of.ps()}

    assert not ports(stack) & ports(own_stack)
    async with confirmed_channel(stack) as mine, confirmed_channel(own_stack) as other:
        await declare(mine, "only-in-mine")
        with pytest.raises(aio_pika.exceptions.PublishError):
            await publish(other, "only-in-mine", b"")

    await asyncio.to_thread(own_stack.down)

    await asyncio.to_thread(stack.wait_ready, "rabbitmq")
    async with confirmed_channel(stack) as mine:
        await publish(mine, "only-in-mine", b"")


def test_down_leaves_no_process_and_keeps_data_and_ports(own_stack: Stack) -> None:
    own_stack.up()
    addresses = own_stack.env
    with MongoClient(addresses["EKIDEN_MONGODB_URL"]) as client:
        client["test"]["kept"].insert_one({"_id": 1})
    running = processes(own_stack)

    own_stack.down()

    assert eventually(lambda: not any(alive(pid) for pid in running)) < 0.5
    assert list(own_stack.state.run.glob("*.pid")) == []
    with pytest.raises(NotRunning):
        own_stack.ps()

    own_stack.up()

    fixed = {name for name in addresses if name.endswith("_URL")}
    assert {name: own_stack.env[name] for name in fixed} == {name: addresses[name] for name in fixed}
    with MongoClient(own_stack.env["EKIDEN_MONGODB_URL"]) as client:
        assert client["test"]["kept"].count_documents({}) == 1


def test_nothing_outlives_a_killed_supervisor_and_up_works_again(own_stack: Stack) -> None:
    own_stack.up()
    running = processes(own_stack)

    os.kill(supervisor(own_stack), signal.SIGKILL)

    assert eventually(lambda: not any(alive(pid) for pid in running)) < 5
    own_stack.up()
    assert comm(own_stack.pid("rabbitmq")) == "beam.smp"


def test_a_database_that_has_to_move_to_another_port_keeps_its_data(tmp_path: Path) -> None:
    stack = Stack(tmp_path, services={})
    try:
        stack.up()
        port = next(row["port"] for row in stack.ps() if row["service"] == "mongod")
        with MongoClient(stack.env["EKIDEN_MONGODB_URL"]) as client:
            client["test"]["kept"].insert_one({"_id": 1})
        stack.down()
        with somebody_elses_server(port):
            stack.up()

            with MongoClient(stack.env["EKIDEN_MONGODB_URL"]) as client:
                client["test"]["kept"].insert_one({"_id": 2})
                assert client["test"]["kept"].count_documents({}) == 2
    finally:
        stack.down(wipe=True)


def test_up_ends_with_the_log_of_a_service_that_cannot_start(tmp_path: Path) -> None:
    broken = {"broken": Program((sys.executable, "-c", "raise SystemExit('a setting is wrong')"))}
    stack = Stack(tmp_path, services={"broken": 1}, programs=broken)
    try:
        with pytest.raises(NotReady, match=r"(?s)broken-1 dies again and again.*a setting is wrong"):
            stack.up()
    finally:
        stack.down(wipe=True)
