"""One supervised process: started, asked until it is ready, started again when it dies."""

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ekiden_native.probe import Probe
from ekiden_native.state_dir import write_atomically

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 2.5  # with the start itself it stays within the 3 s that are promised
_STEADY_AFTER_SECONDS = 10.0
_PROBE_INTERVAL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class State(StrEnum):
    """Where a process is in its life, as `ps` shows it."""

    WAITING = "waiting"  # for broker and database
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Launch:
    """All there is to know to start process `n` of a service."""

    service: str
    n: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    probe: Probe
    log_file: Path
    pid_file: Path


class Process:
    """Keeps one program running. `lock` is a file descriptor that the program inherits and so holds on to."""

    def __init__(self, launch: Launch, lock: int) -> None:
        self.launch = launch
        self.state = State.WAITING
        self.pid: int | None = None
        self.restarts = 0
        self._lock = lock
        self._started_at = 0.0
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self._started_at if self.pid else 0.0

    def start(self) -> None:
        """Start it, and from now on start it again whenever it dies. Does nothing when that is so already."""
        if self._task is None:
            self._stopping.clear()
            self.state = State.STARTING
            self._task = asyncio.create_task(self._keep_running())

    async def ready(self) -> None:
        """Return when it is ready; it may take for ever."""
        await self._ready.wait()

    async def stop(self, grace_seconds: float) -> None:
        """End it with SIGTERM, after the grace period with SIGKILL, and leave it down."""
        self._stopping.set()
        if task := self._task:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a paused process acts on the first signal only now
            _, unfinished = await asyncio.wait([task], timeout=grace_seconds)
            if unfinished:
                self._signal(signal.SIGKILL)
            await task
            self._task = None
        self.state = State.STOPPED

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    async def _keep_running(self) -> None:
        delay = _FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            await self._run_once()
            if time.monotonic() - self._started_at >= _STEADY_AFTER_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            if not self._stopping.is_set():
                self.restarts += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    async def _run_once(self) -> None:
        self._started_at, self.state = time.monotonic(), State.STARTING
        try:
            program = self._spawn()
        except OSError as error:  # tried again like a crash, and its log says why
            with self.launch.log_file.open("a") as log:
                log.write(f"{self.launch.command[0]} does not start: {error}\n")
            self.state = State.RESTARTING
            return
        self.pid = program.pid
        write_atomically(self.launch.pid_file, f"{program.pid}\n")
        asking = asyncio.create_task(self._ask_until_ready())
        await _ended(program.pid)
        asking.cancel()
        self._ready.clear()
        self.launch.pid_file.unlink(missing_ok=True)
        self.pid, self.state = None, State.RESTARTING
        program.wait()  # only now is its id free for another process
        await asyncio.wait([asking])

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.launch.log_file.open("ab") as log:
            return subprocess.Popen(
                self.launch.command,
                env=dict(self.launch.environment),
                cwd=self.launch.log_file.parent,  # a broker that is killed leaves a dump where it stands
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lock,),
                preexec_fn=_die_with(os.getpid()),
            )

    async def _ask_until_ready(self) -> None:
        while not await self.launch.probe():  # noqa: ASYNC110 (another process sets no event of ours)
            await asyncio.sleep(_PROBE_INTERVAL_SECONDS)
        self.state = State.READY
        self._ready.set()


async def _ended(pid: int) -> None:
    """Return when the process is dead and can be waited for without blocking."""
    ended = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with(parent: int) -> Callable[[], None]:
    """Make a function that, in the child before it becomes the program, ties its life to the parent's."""

    def tie() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the tie held
            os._exit(1)

    return tie
