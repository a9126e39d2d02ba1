"""Whether a step costs more while very many sessions wait, and how fast they are accepted.

A backlog is made by ordering all sessions at once: the gateway accepts them faster than they end, and every one of
them has a task queued or running until it ends. Repeats are interleaved, on one stack.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contestants import STEPS, WARM_UP
from benchmarks.figures import measured, ratio, read
from benchmarks.meter import Meter
from benchmarks.ours import Ekiden, ekiden

FEW, MANY = 100, 10_000
FEW_TIMES = 10
"""So often as many sessions are run with few in flight: the clock of processor time ticks a hundred times a second."""

AT_REST_SECONDS, MOST_AT_REST_SECONDS = 8.0, 1.0
"""All is done when the processes have taken so little in so long: the reconciler waits five seconds before it looks."""


async def cpu_ms(ours: Ekiden, sessions: int, in_flight: int) -> dict[str, float]:
    """Processor time of a step by process, of all processes, from the first order on.

    The reconciler looks back at each session when it has settled. What it still does when the last one has ended is
    part of what they cost, and not of what the next ones do; what the processes take at rest is not.
    """
    meters = measured(ours.pids() | ours.servers())
    await ours.run(sessions, in_flight)
    used, at_rest = [_cpu_seconds(meters)], dict[str, float]()
    while not at_rest or sum(at_rest.values()) > MOST_AT_REST_SECONDS:
        await asyncio.sleep(AT_REST_SECONDS)
        used.append(_cpu_seconds(meters))
        at_rest = {name: seconds - used[-2][name] for name, seconds in used[-1].items()}
    waits, steps = len(used) - 1, STEPS * sessions
    return {name: 1000 * (seconds - waits * at_rest[name]) / steps for name, seconds in used[-1].items()}


def _cpu_seconds(meters: Mapping[str, Meter]) -> dict[str, float]:
    return {name: used.cpu_seconds for name, used in read(meters).items()}


async def backlog(repeats: int, many: int = MANY) -> float:
    """Print each repeat; return the median of the ratios."""
    few_ms: list[float] = []
    many_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with ekiden(Path(folder)) as ours:
            await ours.run(WARM_UP, WARM_UP)
            print(f"{await ours.accepted_per_second():.0f} sessions/s created and started over HTTP", flush=True)
            for repeat in range(repeats):
                for found, sessions, in_flight in ((few_ms, FEW_TIMES * FEW, FEW), (many_ms, many, many)):
                    parts = await cpu_ms(ours, sessions, in_flight)
                    found.append(sum(parts.values()))
                    told = ", ".join(f"{name} {ms:.2f}" for name, ms in parts.items())
                    print(
                        f"{repeat + 1}/{repeats} {in_flight} in flight: {found[-1]:.2f} ms a step: {told}", flush=True
                    )
    print(f"{many} against {FEW}: {ratio(many_ms, few_ms):.3f}")
    return ratio(many_ms, few_ms)
