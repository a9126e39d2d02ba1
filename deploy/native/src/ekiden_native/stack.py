"""The stack as an object, for the command line, tests and fault runs."""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ekiden_native.control import ask
from ekiden_native.daemon import ensure_supervisor, wait_until_gone
from ekiden_native.envfile import read_env
from ekiden_native.errors import AlreadyUp, NotReady, NotRunning
from ekiden_native.plan import Plan
from ekiden_native.ports import choose_ports, free_port, is_free
from ekiden_native.program import DEFAULT_COUNTS, PROGRAMS, SIMULATOR, Program
from ekiden_native.providers import choose_providers, forget_simulator
from ekiden_native.provision import provide
from ekiden_native.state_dir import StateDir, read_pid

SETTINGS = ("EKIDEN_", "OTEL_", "OPENAI_", "PERPLEXITY_")
"""How the variables begin that are settings of the stack and its services."""

_POLL_SECONDS = 0.05
_STOP_SECONDS = 90.0  # two grace periods, and some
_HOPELESS_AFTER_DEATHS = 3
_LOG_LINES_SHOWN = 8
_NOT_WAITED_FOR = frozenset({"prometheus"})  # the stack works without whoever watches it


class Stack:
    """One native stack: RabbitMQ, mongod and services below one state directory.

    `services` says how many processes of each run (by default one of each; the simulator comes along where a
    provider is simulated). `env` holds the settings of stack and services: of the caller's own environment none that
    begins with one of `SETTINGS` is used. `simulate` ignores provider keys. `prometheus` runs one beside them where it
    is installed; `up` does not wait for it, `wait_ready("prometheus")` does.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        services: Mapping[str, int] = DEFAULT_COUNTS,
        env: Mapping[str, str] | None = None,
        simulate: bool = True,
        programs: Mapping[str, Program] = PROGRAMS,
        prometheus: bool = False,
    ) -> None:
        self.state = StateDir(state_dir.resolve())
        self._programs = programs
        self._prometheus = prometheus
        self._settings = forget_simulator(env or {})
        self.providers = choose_providers(self._settings, simulate=simulate)
        added = {SIMULATOR: 1} if services and SIMULATOR in programs and self.providers.simulator_needed else {}
        self._counts = {**added, **services}

    # Life

    def up(self, timeout: float = 60.0) -> None:
        """Start what is not running and return when all of it is ready.

        Raises AlreadyUp when other providers are in use there, NotReady, PortTaken, NotProvided.
        """
        deadline = time.monotonic() + timeout
        machine = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        ensure_supervisor(self.state, self._plan, machine, deadline)
        running = ask(self.state, "ps")
        if running["providers"] != self.providers.announcement:
            raise AlreadyUp(
                f"A stack is up in {self.state.root}, and there: {running['providers']} Take it down first."
            )
        self._start_missing(running["processes"])
        self._wait_until_ready(deadline)

    def down(self, *, wipe: bool = False) -> None:
        """Stop everything and return when no process is left. `wipe` removes the data, too."""
        with suppress(NotRunning):  # children of a killed supervisor may be left, and die with it
            ask(self.state, "stop", timeout_seconds=_STOP_SECONDS)
        wait_until_gone(self.state, time.monotonic() + 10.0)
        if wipe:
            shutil.rmtree(self.state.data, ignore_errors=True)

    @property
    def env(self) -> dict[str, str]:
        """The addresses in use: the contents of stack.env."""
        return read_env(self.state.env_file)

    def ps(self) -> list[dict[str, Any]]:
        """Return a row for each process: service, n, pid, state, uptimeSeconds, restarts, port."""
        return ask(self.state, "ps")["processes"]

    def scale(self, counts: Mapping[str, int], timeout: float = 60.0) -> None:
        """Run exactly so many processes of each service and return when they are ready."""
        deadline = time.monotonic() + timeout
        ask(self.state, "scale", timeout_seconds=_STOP_SECONDS, counts=dict(counts))
        self._wait_until_ready(deadline)

    # One process

    def pid(self, service: str, n: int = 1) -> int:
        """Return the process id. Raises NotRunning, also between a death and the new start."""
        pid = read_pid(self.state.pid_file(service, n))
        if pid is None or _parent(pid) != read_pid(self.state.supervisor_pid_file):
            raise NotRunning(f"{service}-{n} is not running.")
        return pid

    def kill(self, service: str, n: int = 1, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and return the id of the process that got it; what dies is started again.

        After SIGKILL it returns when the supervisor knows of the death, so that `wait_ready` means the next life.
        """
        pid = self.pid(service, n)
        os.kill(pid, number)
        if number is signal.SIGKILL:
            self._wait_for(lambda: _parent(pid) is None, f"{service}-{n} is not dead", timeout=10.0)
        return pid

    def pause(self, service: str, n: int = 1) -> None:
        self.kill(service, n, signal.SIGSTOP)

    def resume(self, service: str, n: int = 1) -> None:
        self.kill(service, n, signal.SIGCONT)

    def stop_service(self, service: str, n: int = 1, *, grace_seconds: float = 30.0) -> None:
        """Stop one process (SIGTERM, then SIGKILL) and leave it down until `start_service`."""
        ask(self.state, "hold", timeout_seconds=_STOP_SECONDS, service=service, n=n, grace_seconds=grace_seconds)

    def start_service(self, service: str, n: int = 1) -> None:
        """Start it again, without waiting for it."""
        ask(self.state, "release", service=service, n=n)

    def wait_ready(self, service: str, n: int = 1, *, timeout: float = 30.0) -> None:
        """Return when the process works. Raises NotReady."""
        self._wait_for(lambda: self._row(service, n)["state"] == "ready", f"{service}-{n} is not ready", timeout)

    def wait_port(self, service: str, n: int = 1, *, timeout: float = 30.0) -> None:
        """Return when somebody listens on the port of the process. Raises NotReady."""
        port = self._row(service, n)["port"]
        self._wait_for(lambda: not is_free(port), f"{service}-{n} does not listen on port {port}", timeout)

    def _row(self, service: str, n: int) -> dict[str, Any]:
        for row in self.ps():
            if (row["service"], row["n"]) == (service, n):
                return row
        raise NotRunning(f"There is no {service}-{n}.")

    def _wait_for(self, condition: Callable[[], bool], complaint: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise NotReady(f"{complaint} after {timeout:.0f} s.")
            time.sleep(_POLL_SECONDS)

    # Starting

    def _plan(self) -> Plan:
        tools = provide()
        ports = choose_ports(self._settings, self.env)
        used = set(ports.values())
        return Plan(
            root=str(self.state.root),
            rabbitmq_server=str(tools.rabbitmq_server),
            epmd=str(tools.epmd),
            mongod_server=str(tools.mongod),
            ports={**ports, **{name: free_port(used) for name in ("distribution", "epmd", "rabbitmq-metrics")}},
            programs=self._programs,
            counts=self._counts,
            settings=self._settings,
            providers=self.providers,
            prometheus_server=str(tools.prometheus) if self._prometheus and tools.prometheus else None,
        )

    def _start_missing(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["state"] == "stopped":
                self.start_service(row["service"], row["n"])
        running = Counter(row["service"] for row in rows)
        missing = {service: count for service, count in self._counts.items() if running[service] < count}
        ask(self.state, "scale", counts=missing)

    def _wait_until_ready(self, deadline: float) -> None:
        deaths = {(row["service"], row["n"]): row["restarts"] for row in self.ps()}
        while unready := self._unready():
            for row in unready:
                if row["restarts"] - deaths.get((row["service"], row["n"]), 0) >= _HOPELESS_AFTER_DEATHS:
                    raise NotReady(f"{row['service']}-{row['n']} dies again and again. {self._last_words(row)}")
            if time.monotonic() > deadline:
                raise NotReady(
                    f"{unready[0]['service']}-{unready[0]['n']} is not ready. {self._last_words(unready[0])}"
                )
            time.sleep(_POLL_SECONDS)

    def _unready(self) -> list[dict[str, Any]]:
        rows = [row for row in self.ps() if row["service"] not in _NOT_WAITED_FOR]
        return [row for row in rows if row["state"] not in ("ready", "stopped")]

    def _last_words(self, row: dict[str, Any]) -> str:
        log_file = self.state.log_file(row["service"], row["n"])
        text = log_file.read_text(errors="replace") if log_file.exists() else ""
        return f"The end of {log_file}:\n" + "\n".join(text.splitlines()[-_LOG_LINES_SHOWN:])


def _parent(pid: int) -> int | None:
    """Return the parent's process id, or None when there is no such process."""
    try:
        # The second field is the program's name in brackets, and may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1])
