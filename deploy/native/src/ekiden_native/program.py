"""The services of the stack, as data: how each is started and how it says that it is ready."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Program:
    """A service: its command, the variable that tells it its port, and the path that answers 200 when ready.

    `listener` names the known port (see `ports.LISTENERS`) that process 1 uses; every other process is given a
    free one. `after` says what has to be ready before the service is started at all.
    """

    command: tuple[str, ...]
    port_variable: str = "EKIDEN_METRICS_PORT"
    ready_path: str = "/readyz"
    listener: str | None = None
    after: Literal["broker and database", "nothing"] = "broker and database"


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


SIMULATOR = "simulator"

PROGRAMS: Mapping[str, Program] = {
    SIMULATOR: Program(
        _module("ekiden_simulator"),
        port_variable="EKIDEN_SIMULATOR_PORT",
        ready_path="/healthz",
        listener="simulator",
        after="nothing",
    ),
    "gateway": Program(_module("ekiden_gateway"), port_variable="EKIDEN_GATEWAY_PORT", listener="gateway"),
    "orchestrator": Program(_module("ekiden_orchestrator")),
    "gpt-worker": Program(_module("ekiden_gpt_worker")),
    "perplexity-worker": Program(_module("ekiden_perplexity_worker")),
}

DEFAULT_COUNTS: Mapping[str, int] = {
    "gateway": 1,
    "orchestrator": 1,
    "gpt-worker": 1,
    "perplexity-worker": 1,
}
"""The simulator is not counted here: the choice of providers adds it."""
