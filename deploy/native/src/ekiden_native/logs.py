"""The log files of a stack, printed together with the name of the process in front of each line."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ekiden_native.state_dir import StateDir

_POLL_SECONDS = 0.25

Positions = dict[Path, int]
"""How far each file has been printed, in bytes."""


def print_logs(state: StateDir, services: Sequence[str], positions: Positions | None = None) -> Positions:
    """Print whole lines beyond `positions`, and return how far it came. No services means all."""
    reached = dict(positions or {})
    for path in _files(state, services):
        with path.open("rb") as log:
            log.seek(reached.get(path, 0))
            for line in log:
                if not line.endswith(b"\n"):
                    break  # still being written
                sys.stdout.write(f"{path.stem:<19} | {line.decode(errors='replace')}")
                reached[path] = reached.get(path, 0) + len(line)
    sys.stdout.flush()
    return reached


def follow(state: StateDir, services: Sequence[str], positions: Positions) -> None:
    """Go on printing what is added, until interrupted."""
    while True:
        positions = print_logs(state, services, positions)
        time.sleep(_POLL_SECONDS)


def _files(state: StateDir, services: Sequence[str]) -> list[Path]:
    """Return the logs of services (`gpt-worker`) and processes (`gpt-worker-2`)."""
    wanted = [re.compile(rf"{re.escape(service)}(-\d+)?") for service in services]
    return [
        path
        for path in sorted(state.log.glob("*.log"))
        if not wanted or any(pattern.fullmatch(path.stem) for pattern in wanted)
    ]
