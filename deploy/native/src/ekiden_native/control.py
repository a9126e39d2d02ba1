"""The supervisor's socket: one line of JSON asks, one line of JSON answers.

The requests are `ps`, `scale`, `hold`, `release` and `stop` (see `supervisor.Supervisor`). An answer holds `error`, a
sentence, when the request could not be met.
"""

import json
import os
import socket
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

from ekiden_native.errors import NotRunning, StackError
from ekiden_native.state_dir import StateDir


@contextmanager
def socket_path(state: StateDir) -> Generator[str]:
    """Name the socket by way of an open folder: the path of a Unix socket is limited to 107 bytes."""
    folder = os.open(state.run, os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/supervisor.sock"
    finally:
        os.close(folder)


def ask(state: StateDir, request: str, *, timeout_seconds: float = 10.0, **arguments: Any) -> dict[str, Any]:
    """Send one request and return the answer. Raises NotRunning when no supervisor listens."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(timeout_seconds)
            with socket_path(state) as path:
                connection.connect(path)
            connection.sendall(json.dumps({"request": request, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except (FileNotFoundError, ConnectionError) as error:
        raise NotRunning(f"No stack is up in {state.root}.") from error
    if not line:
        raise NotRunning(f"The stack in {state.root} went away before it answered.")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise StackError(answer["error"])
    return answer
