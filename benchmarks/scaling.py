"""How Ekiden scales: sessions in flight and workers, against processor time, memory and disk.

Draws the curves of docs/performance.md and puts their figures into its table.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.contestants import STEPS, WARM_UP
from benchmarks.figures import SERVERS, cpu_ms_per_step, measured, read
from benchmarks.ours import WORKERS, Ekiden, ekiden
from benchmarks.plot import Line, chart
from benchmarks.report import table
from ekiden_native.program import DEFAULT_COUNTS

PAGE = Path(__file__).parents[1] / "docs/performance.md"
PICTURES = PAGE.parent / "performance"
TITLES = {
    "cpu.svg": "Processor time of a step, ms, all processes",
    "memory.svg": "The most memory a process held, MiB",
    "database.svg": "Database, KiB a session",
}
BEGIN, END = "<!-- made by `make bench PART=scaling` -->\n", "<!-- end of what was made -->"
COUNTS = (1, 2, 4)
"""Processes of each of the two workers."""
IN_FLIGHT: Mapping[int, int] = {1: 50, 10: 300, 100: 1_000, 1_000: 2_000, 10_000: 10_000}
"""Sessions at a time, and how many are run so: as many as it takes to measure."""


@dataclass(frozen=True)
class Point:
    """`mib` is the most that one process of each kind held; `stored` counts the sessions in the database then."""

    workers: int
    in_flight: int
    steps_per_second: float
    cpu_ms: float
    mib: Mapping[str, float]
    stored: int
    kib_a_session: float


async def scaling(*, quick: bool) -> None:
    """Print each point as it comes. Quick: a tenth of the sessions, and no more than 1,000 in flight."""
    shares = {flight: max(flight, count // 10) for flight, count in IN_FLIGHT.items() if flight <= 1_000}
    points = [point for workers in COUNTS for point in await curve(workers, shares if quick else IN_FLIGHT)]
    draw(points)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + _figures(points) + END + rest.partition(END)[2], encoding="utf-8")


async def curve(workers: int, flights: Mapping[int, int]) -> list[Point]:
    """A fresh stack with so many of each worker, and every number of sessions in flight on it, few first."""
    points: list[Point] = []
    with tempfile.TemporaryDirectory() as folder:
        async with ekiden(Path(folder), {**DEFAULT_COUNTS, **dict.fromkeys(WORKERS, workers)}) as ours:
            await ours.run(WARM_UP, WARM_UP)
            empty, stored = await _kib(ours), 0
            for in_flight, sessions in flights.items():
                meters = measured(ours.pids() | ours.servers())
                ran = await ours.run(sessions, in_flight)
                used, stored = read(meters), stored + sessions
                cpu_ms = sum(cpu_ms_per_step(used, sessions).values())
                mib: dict[str, float] = {}
                for name, each in used.items():
                    kind = name.rstrip("-0123456789")
                    mib[kind] = max(mib.get(kind, 0.0), each.mib)
                kib = (await _kib(ours) - empty) / stored
                points.append(Point(workers, in_flight, ran.steps_per_second, cpu_ms, mib, stored, kib))
                print(points[-1], flush=True)
    return points


async def _kib(ours: Ekiden) -> float:
    """Documents as they are, before compression, and their indexes."""
    stats = await ours.database.command("dbStats", scale=1024)
    return float(stats["dataSize"] + stats["indexSize"])


def draw(points: list[Point], folder: Path = PICTURES) -> None:
    folder.mkdir(exist_ok=True)
    by_workers = {count: [point for point in points if point.workers == count] for count in COUNTS}
    cpu = [
        Line(_workers(count), [(point.in_flight, point.cpu_ms) for point in each]) for count, each in by_workers.items()
    ]
    alone = by_workers[1]
    memory = [
        Line(kind, [(point.in_flight, point.mib[kind]) for point in alone]) for kind in alone[0].mib if kind != "mongod"
    ]
    disk = [
        Line(_workers(count), [(point.stored, point.kib_a_session) for point in each])
        for count, each in by_workers.items()
    ]
    axes = {"cpu.svg": ("sessions in flight", cpu), "memory.svg": ("sessions in flight", memory)}
    axes |= {"database.svg": ("sessions stored", disk)}
    for name, (axis, lines) in axes.items():
        (folder / name).write_text(chart(TITLES[name], axis, lines), encoding="utf-8")


def _workers(count: int) -> str:
    return f"{count} of each worker"


def _figures(points: list[Point]) -> str:
    head = ["workers", "in flight", "steps/s", "CPU a step", "most memory of a service", "database a session"]
    rows = [
        [
            *(f"{point.workers} + {point.workers}", f"{point.in_flight:,}", f"{point.steps_per_second:.0f}"),
            *(f"{point.cpu_ms:.2f} ms", _largest(point), f"{point.kib_a_session:.0f} KiB"),
        ]
        for point in points
    ]
    where = f"Commit {machine.commit()}; {machine.machine()}; sessions of {STEPS} calls that are answered at once."
    pictures = "\n\n".join(f"![{title}](performance/{name})" for name, title in TITLES.items())
    return f"\n{where}\n\n{pictures}\n\n{table(head, rows)}\n\n"


def _largest(point: Point) -> str:
    name = max((kind for kind in point.mib if kind not in SERVERS), key=lambda kind: point.mib[kind])
    return f"{name} {point.mib[name]:.0f} MiB"
