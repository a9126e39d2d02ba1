"""The process that owns all others of a stack: starts them in order, keeps them running, ends them in order.

Nothing outlives it: its children die with it (see `process`), so a stack is either supervised or gone.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from ekiden_native.control import socket_path
from ekiden_native.envfile import write_env
from ekiden_native.plan import Plan
from ekiden_native.ports import free_port
from ekiden_native.probe import Probe, accepts, answers_ok
from ekiden_native.process import Launch, Process, State
from ekiden_native.program import SIMULATOR, Program
from ekiden_native.state_dir import write_atomically

GRACE_SECONDS = 30.0

_Name = tuple[str, int]


class Supervisor:
    """Answers the requests of `control`; every method named for one returns the fields of its answer."""

    def __init__(self, plan: Plan, lock: int) -> None:
        self._plan = plan
        self._lock = lock
        self._machine = dict(os.environ)
        self._ports_in_use = set(plan.ports.values())
        self._infrastructure: dict[_Name, Process] = {}
        self._services: dict[_Name, Process] = {}
        self._ended = asyncio.Event()
        self._background: set[asyncio.Task[object]] = set()

    async def run(self) -> None:
        """Bring the stack up, answer requests, and return when the stack has been stopped."""
        state = self._plan.state
        stop = partial(self._in_background, self.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        write_atomically(state.supervisor_pid_file, f"{os.getpid()}\n")
        self._start_infrastructure()
        await self.scale(self._plan.counts)
        with socket_path(state) as path:
            server = await asyncio.start_unix_server(self._answer, path)
        async with server:
            await self._ended.wait()
        state.supervisor_pid_file.unlink()

    # Requests

    async def ps(self) -> dict[str, Any]:
        rows = [
            {
                "service": process.launch.service,
                "n": process.launch.n,
                "pid": process.pid,
                "state": process.state,
                "uptimeSeconds": round(process.uptime_seconds, 1),
                "restarts": process.restarts,
                "port": process.launch.port,
            }
            for process in (self._infrastructure | self._services).values()
        ]
        return {"processes": rows, "providers": self._plan.providers.announcement}

    async def scale(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """Run exactly `count` processes of each service named; those that go are the highest in number."""
        if unknown := sorted(counts.keys() - self._plan.programs.keys()):
            return {"error": f"No such service: {', '.join(unknown)}. There are: {', '.join(self._plan.programs)}."}
        for service, count in counts.items():
            for n in range(1, count + 1):
                self._start_service(service, n)
        surplus = [name for name in self._services if name[1] > counts.get(name[0], name[1])]
        await asyncio.gather(*(self._services[name].stop(GRACE_SECONDS) for name in surplus))
        for name in surplus:
            self._ports_in_use.discard(self._services.pop(name).launch.port)
        self._tell_addresses()
        return {}

    async def hold(self, service: str, n: int, grace_seconds: float) -> dict[str, Any]:
        """Stop one process and leave it down until it is released."""
        process = (self._infrastructure | self._services).get((service, n))
        if process is None:
            return {"error": f"There is no {service}-{n}."}
        await process.stop(grace_seconds)
        return {}

    async def release(self, service: str, n: int) -> dict[str, Any]:
        process = (self._infrastructure | self._services).get((service, n))
        if process is None:
            return {"error": f"There is no {service}-{n}."}
        process.start()
        return {}

    async def stop(self) -> dict[str, Any]:
        """Stop everything: services while broker and database still answer them, the port mapper last."""
        for task in self._background - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*(process.stop(GRACE_SECONDS) for process in self._services.values()))
        epmd, *servers = self._infrastructure.values()
        await asyncio.gather(*(process.stop(GRACE_SECONDS) for process in servers))
        await epmd.stop(GRACE_SECONDS)
        self._ended.set()
        return {}

    # Starting

    def _start_infrastructure(self) -> None:
        rabbitmq, mongod = self._plan.rabbitmq, self._plan.mongod
        rabbitmq.prepare()
        mongod.prepare()
        environment = rabbitmq.environment(self._machine)
        mapper = accepts(rabbitmq.epmd_port)
        epmd = self._process("epmd", 1, rabbitmq.epmd_command, environment, rabbitmq.epmd_port, mapper)
        broker = self._process("rabbitmq", 1, rabbitmq.command, environment, rabbitmq.port, rabbitmq.serves)
        database = self._process("mongod", 1, mongod.command, self._machine, mongod.port, mongod.serves)
        self._infrastructure = {(p.launch.service, p.launch.n): p for p in (epmd, broker, database)}
        if prometheus := self._plan.prometheus:
            prometheus.prepare()
            watcher = self._process(
                "prometheus", 1, prometheus.command, self._machine, prometheus.port, prometheus.serves
            )
            self._infrastructure[watcher.launch.service, watcher.launch.n] = watcher
            watcher.start()
        epmd.start()
        database.start()
        self._in_background(partial(self._start_after, [epmd], broker))

    def _start_service(self, service: str, n: int) -> None:
        program = self._plan.programs[service]
        if (service, n) not in self._services:
            self._services[service, n] = self._service(service, n, program)
        process = self._services[service, n]
        if process.state is not State.WAITING or program.after == "nothing":
            process.start()
        else:
            needed = [self._infrastructure[name, 1] for name in ("rabbitmq", "mongod")]
            self._in_background(partial(self._start_after, needed, process))

    async def _start_after(self, needed: list[Process], process: Process) -> None:
        await asyncio.gather(*(earlier.ready() for earlier in needed))
        if process.state is State.WAITING:  # and not held or scaled away meanwhile
            process.start()

    def _service(self, service: str, n: int, program: Program) -> Process:
        known = self._plan.ports[program.listener] if program.listener and n == 1 else None
        port = known or free_port(self._ports_in_use)
        environment = self._plan.service_environment(self._machine) | {program.port_variable: str(port)}
        return self._process(service, n, program.command, environment, port, answers_ok(port, program.ready_path))

    def _process(
        self, service: str, n: int, command: tuple[str, ...], environment: Mapping[str, str], port: int, probe: Probe
    ) -> Process:
        log_file, pid_file = self._plan.state.log_file(service, n), self._plan.state.pid_file(service, n)
        return Process(Launch(service, n, command, environment, port, probe, log_file, pid_file), self._lock)

    def _tell_addresses(self) -> None:
        metrics = {
            f"{service}-{n}": process.launch.port
            for (service, n), process in sorted(self._services.items())
            if service != SIMULATOR
        }
        write_env(self._plan.state.env_file, self._plan.addresses(metrics))
        self._tell_prometheus()

    def _tell_prometheus(self) -> None:
        """Name every process that has metrics, and the broker; a service without processes is told as such."""
        prometheus, rabbitmq = self._plan.prometheus, self._plan.rabbitmq
        if prometheus is None or rabbitmq.metrics_port is None:
            return
        found: dict[str, dict[str, int]] = {service: {} for service in self._plan.programs if service != SIMULATOR}
        for (service, n), process in self._services.items():
            if service in found:
                found[service][f"{service}-{n}"] = process.launch.port
        prometheus.tell({**found, "rabbitmq": {"rabbitmq-1": rabbitmq.metrics_port}})

    def _in_background(self, job: Callable[[], Coroutine[Any, Any, object]]) -> None:
        task = asyncio.create_task(job())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # The socket

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "ps": self.ps,
            "scale": self.scale,
            "hold": self.hold,
            "release": self.release,
            "stop": self.stop,
        }
        try:
            arguments = json.loads(await reader.readline())
            answer = await requests[arguments.pop("request")](**arguments)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # who asked did not wait for the answer
        finally:
            writer.close()


def main() -> None:
    """Read the plan from standard input, leave the caller's process tree, and supervise."""
    plan = Plan.from_json(sys.stdin.read())
    if os.fork():
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    asyncio.run(Supervisor(plan, lock=int(sys.argv[1])).run())


if __name__ == "__main__":
    main()
