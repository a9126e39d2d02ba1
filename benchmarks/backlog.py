"""Whether a step costs more while very many sessions wait, and how fast they are accepted.

A backlog is made by ordering all sessions at once: the gateway accepts them faster than they end, and every one of
them has a task queued or running until it ends. Repeats are interleaved, on one stack.
"""

import tempfile
from pathlib import Path

from benchmarks.contestants import WARM_UP
from benchmarks.figures import cpu_ms_per_step, measured, ratio, read
from benchmarks.ours import Ekiden, ekiden

FEW, MANY = 100, 10_000
FEW_TIMES = 10
"""So often as many sessions are run with few in flight: the clock of processor time ticks a hundred times a second."""


async def cpu_ms(ours: Ekiden, sessions: int, in_flight: int) -> dict[str, float]:
    """Processor time of a step by process, of all processes, from the first order to the last end."""
    meters = measured(ours.pids() | ours.servers())
    await ours.run(sessions, in_flight)
    return cpu_ms_per_step(read(meters), sessions)


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
