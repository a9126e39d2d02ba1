"""The stack behind the browser: an open gateway, as on a machine of one's own, and beside it one that asks for keys."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ekiden_native import Stack
from ekiden_native.ports import LOOPBACK, own_ports
from ekiden_native.program import DEFAULT_COUNTS, PROGRAMS

WITH_KEYS = "gateway-with-keys"
KEYS: Mapping[str, str] = {"reader": "reader-0123456789abcdef", "writer": "writer-0123456789abcdef"}
"""The secrets of a key that may only read, and of one that may do everything, by their ids."""
SETTINGS = {
    "EKIDEN_SIMULATOR_TIME_SCALE": "0.01",
    "EKIDEN_SEARCH_CACHE_SECONDS": "0",
    "EKIDEN_WEBHOOK_ALLOW": LOOPBACK,
}


def browsed_stack(root: Path) -> Stack:
    """It is not up yet."""
    gateway = PROGRAMS["gateway"]
    keys = f"EKIDEN_API_KEYS=reader:{KEYS['reader']}:read,writer:{KEYS['writer']}"
    locked = replace(gateway, command=("/usr/bin/env", keys, *gateway.command), listener=None)
    return Stack(
        root,
        services={**DEFAULT_COUNTS, WITH_KEYS: 1},
        env=SETTINGS | own_ports(),
        programs={**PROGRAMS, WITH_KEYS: locked},
    )


def address_behind_keys(stack: Stack) -> str:
    return next(f"http://{LOOPBACK}:{row['port']}" for row in stack.ps() if row["service"] == WITH_KEYS)
