"""The supervisor seen from outside: started once per state directory, and gone when its lock can be had."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from ekiden_native.control import ask
from ekiden_native.errors import NotReady, NotRunning
from ekiden_native.plan import Plan
from ekiden_native.state_dir import StateDir

_POLL_SECONDS = 0.05


def ensure_supervisor(
    state: StateDir, make_plan: Callable[[], Plan], machine: Mapping[str, str], deadline: float
) -> None:
    """Return when a supervisor answers: the one that is there, or a new one that carries out the plan.

    The lock is taken before the plan is made and handed on, so the ports that an earlier, killed stack still holds
    are free again when they are chosen. `deadline` is a time of the monotonic clock. Raises NotReady.
    """
    state.make()
    log_file = state.log / "supervisor.log"
    started = False
    while not _answers(state):
        with _try_lock(state) as lock:
            if lock is not None and started:
                raise NotReady(f"The supervisor ended at once; {log_file} says why.")
            if lock is not None:
                _spawn(state, make_plan(), machine, lock)
                started = True
        if time.monotonic() > deadline:
            raise NotReady(f"The supervisor does not answer; {log_file} may say why.")
        time.sleep(_POLL_SECONDS)


def wait_until_gone(state: StateDir, deadline: float) -> None:
    """Return when no process of the stack is left, and remove what a killed one left behind in `run/`."""
    if not state.run.exists():
        return
    while True:
        with _try_lock(state) as lock:
            if lock is not None:
                for left_over in (*state.run.glob("*.pid"), *state.run.glob("*.sock")):
                    left_over.unlink()
                return
        if time.monotonic() > deadline:
            raise NotReady(f"A process of the stack in {state.root} does not end.")
        time.sleep(_POLL_SECONDS)


def _answers(state: StateDir) -> bool:
    try:
        ask(state, "ps")
    except NotRunning:
        return False
    return True


@contextmanager
def _try_lock(state: StateDir) -> Generator[int | None]:
    """Give the locked descriptor, or None while any process of a stack still holds it.

    It is closed and never unlocked: a process that inherited it keeps it.
    """
    lock = os.open(state.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = True
    except BlockingIOError:
        locked = False
    try:
        yield lock if locked else None
    finally:
        os.close(lock)


def _spawn(state: StateDir, plan: Plan, machine: Mapping[str, str], lock: int) -> None:
    with (state.log / "supervisor.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "ekiden_native.supervisor", str(lock)],
            input=plan.to_json().encode(),
            stdout=log,
            stderr=log,
            env=dict(machine),
            pass_fds=(lock,),
            start_new_session=True,
            check=True,
        )
