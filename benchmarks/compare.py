"""Ekiden and its peers, one after the other and again: what the machine does besides strikes all alike.

All of them use the same broker and the same database; only DBOS wants a PostgreSQL. Providers answer at once, so what
is measured is the orchestration.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.bars import Found
from benchmarks.contestants import IN_FLIGHT, WARM_UP, Contestant, Length, Peer
from benchmarks.figures import Figures, measured, read
from benchmarks.ours import Ekiden, ekiden
from benchmarks.postgresql import postgresql
from ekiden_native.provision import provide_postgresql

PEER_PYTHON = Path(__file__).parents[1] / ".venv/bench/bin/python"
PEERS: Mapping[str, str] = {
    "celery": "celery_chain.py",
    "dbos": "dbos_flow.py",
    "langgraph": "langgraph_flow.py",
    "taskiq": "taskiq_pipeline.py",
    "limit": "limit.py",
}
HANDOFFS_OF = 4
"""Sessions whose hand-offs are measured, for each of those that run one by one: the 99th percentile wants many."""


@asynccontextmanager
async def everybody(ours: Ekiden, names: Sequence[str]) -> AsyncGenerator[tuple[list[Contestant], dict[str, int]]]:
    """All contestants, Ekiden first, and the process ids of the servers that they share."""
    async with AsyncExitStack() as stack:
        servers = ours.servers()
        addresses = {
            "BENCH_AMQP_URL": ours.stack.env["EKIDEN_AMQP_URL"],
            "BENCH_MONGODB_URL": ours.stack.env["EKIDEN_MONGODB_URL"],
        }
        if "dbos" in names:
            address, servers["postgresql"] = stack.enter_context(postgresql())
            addresses["BENCH_POSTGRESQL_URL"] = address
        contestants: list[Contestant] = [ours]
        for name in names:
            peer = Peer(name, PEERS[name], PEER_PYTHON, addresses)
            await peer.open()
            stack.push_async_callback(peer.close)
            if name == "dbos":
                peer.versions |= {"PostgreSQL": provide_postgresql().parent.name}
            contestants.append(peer)
        yield contestants, servers


async def compare(names: Sequence[str], length: Length) -> Found:
    """The figures of each; Ekiden's come first, and with them what is measured of it when the others are gone."""
    last_begin = time.monotonic() + length.begun_within
    with tempfile.TemporaryDirectory() as folder:
        async with ekiden(Path(folder)) as ours:
            async with everybody(ours, names) as (contestants, servers):
                found = await side_by_side(contestants, servers, length, last_begin)
            await asyncio.sleep(1.0)  # what the others left to do is done
            found[ours.name].handoff_ms = await ours.handoffs(HANDOFFS_OF * length.singles)
            return Found(found, await ours.accepted_per_second())


async def side_by_side(
    contestants: Sequence[Contestant], servers: Mapping[str, int], length: Length, last_begin: float
) -> dict[str, Figures]:
    """Print each repeat of each contestant; no second one is begun after `last_begin`, of the monotonic clock."""
    for each in contestants:
        await each.run(WARM_UP, WARM_UP)
    found = {each.name: Figures(each.versions) for each in contestants}
    for repeat in range(length.repeats):
        if repeat and time.monotonic() > last_begin:
            break
        for each in contestants:
            figures = found[each.name]
            meters = measured({**each.pids(), **servers})
            figures.note_load(await each.run(length.sessions, IN_FLIGHT), read(meters))
            figures.note_singles(await each.run(length.singles, 1))
            print(f"{repeat + 1}/{length.repeats} {each.name}: {figures.last}", flush=True)
    return found
