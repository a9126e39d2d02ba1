"""What a session costs this machine: `make capacity` prints the figures that docs/capacity.md plans by.

Sessions of `viral-content` on the native stack, providers answering at once: processor time by process, memory, and
what stays in the database. Connections are counted while they run.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from benchmarks.client import Client
from benchmarks.meter import Meter
from ekiden_native import Stack
from ekiden_native.ports import own_ports

SESSIONS = "/api/viral/cot-session"
OURS = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")
PROCESSES = (*OURS, "rabbitmq", "mongod")
STARTING_AT_ONCE = 16
Document = dict[str, Any]


def connections(pid: int, ports: Mapping[str, int]) -> dict[str, int]:
    """How many TCP connections a process holds to each of some loopback ports."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = dict.fromkeys(ports, 0)
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        remote, state, inode = int(fields[2].rpartition(":")[2], 16), fields[3], fields[9]
        for name, port in ports.items():
            found[name] += remote == port and state == "01" and f"socket:[{inode}]" in sockets
    return found


async def start_all(api: Client, count: int) -> float:
    """Create and start so many sessions; the seconds that took."""
    places, began = asyncio.Semaphore(STARTING_AT_ONCE), time.monotonic()

    async def start(n: int) -> None:
        body = {"theme": f"capacity {n} {time.monotonic_ns()}", "language": "en", "start": True}
        async with places:
            await api.post(f"{SESSIONS}/create", body)

    await asyncio.gather(*map(start, range(count)))
    return time.monotonic() - began


async def measure(count: int) -> None:
    env = {**own_ports(), "EKIDEN_SIMULATOR_TIME_SCALE": "0", "EKIDEN_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as root:
        stack = Stack(Path(root), env=env)
        try:
            await asyncio.to_thread(stack.up, 120.0)
            mongo: AsyncMongoClient[Document] = AsyncMongoClient(stack.env["EKIDEN_MONGODB_URL"])
            database = mongo["ekiden"]
            async with Client(stack.env["EKIDEN_GATEWAY_URL"]) as api:
                await start_all(api, 2)  # what is made once is made
                pids = {name: stack.pid(name) for name in PROCESSES}
                meters = {name: Meter.of(pid) for name, pid in pids.items()}
                began = time.monotonic()
                accepted = count / await start_all(api, count)
                ports = {name: int(env[f"EKIDEN_{name}_PORT"]) for name in ("AMQP", "MONGODB")}
                held = {name: connections(pids[name], ports) for name in OURS}
                ended = {"status": "COMPLETED"}
                while await database["sessions"].count_documents(ended) < count + 2:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.2)
                seconds = time.monotonic() - began
            used = {name: meter.read() for name, meter in meters.items()}
            sizes = {name: await database.command("collStats", name) for name in ("sessions", "tasks", "drafts")}
            tasks = await database["tasks"].count_documents({})
            await mongo.close()
        finally:
            await asyncio.to_thread(stack.down, wipe=True)
    steps = tasks * count / (count + 2)
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores; {count} sessions, {steps:.0f} tasks")
    print(
        f"{count / seconds:.1f} sessions/s, {steps / seconds:.0f} tasks/s; {accepted:.0f} sessions/s accepted over HTTP"
    )
    for name, found in used.items():
        told = f", connections: {held[name]}" if name in held else ""
        print(f"{name}: {1000 * found.cpu_seconds / steps:.2f} ms of processor a task, {found.mib:.0f} MiB{told}")
    for name, size in sizes.items():
        kept, stored = (size[what] / (count + 2) / 1024 for what in ("size", "storageSize"))
        indexes = size["totalIndexSize"] / (count + 2) / 1024
        print(f"{name}: {kept:.1f} KiB a session, on disk {stored:.1f} KiB, its indexes {indexes:.1f} KiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=500)
    asyncio.run(measure(parser.parse_args().sessions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
