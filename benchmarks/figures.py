"""What a contestant did in one run, figure by figure, and what is made of it: medians, quantiles, ratios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.contestants import STEPS, Ran
from benchmarks.meter import Meter, Used

SERVERS = ("rabbitmq", "mongod", "postgresql")
"""What contestants share, beside their own processes."""


def at(values: Sequence[float], share: float) -> float:
    """The quantile, as the value that so large a share is not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, each of figures of the same repeat: what slowed both down is in neither."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def measured(pids: Mapping[str, int]) -> dict[str, Meter]:
    return {name: Meter.of(pid) for name, pid in pids.items()}


def read(meters: Mapping[str, Meter]) -> dict[str, Used]:
    return {name: meter.read() for name, meter in meters.items()}


def cpu_ms_per_step(used: Mapping[str, Used], sessions: int) -> dict[str, float]:
    return {name: 1000 * each.cpu_seconds / (STEPS * sessions) for name, each in used.items()}


@dataclass
class Figures:
    """One contestant's: of each repeat, in their order."""

    versions: Mapping[str, str]
    steps_per_second: list[float] = field(default_factory=list[float])
    single_ms: list[float] = field(default_factory=list[float])
    """The median session of those that ran one by one."""
    session_ms: list[float] = field(default_factory=list[float])
    """Of each session that ran beside others."""
    cpu_ms: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    """Of processor a step, by process: its own, then broker and databases."""
    mib: dict[str, float] = field(default_factory=dict[str, float])
    """The most that each process held in any repeat."""
    handoff_ms: list[float] = field(default_factory=list[float])

    def note_load(self, ran: Ran, used: Mapping[str, Used]) -> None:
        self.steps_per_second.append(ran.steps_per_second)
        self.session_ms += [1000 * latency for latency in ran.latencies]
        self.cpu_ms.append(cpu_ms_per_step(used, len(ran.latencies)))
        for name, each in used.items():
            self.mib[name] = max(self.mib.get(name, 0.0), each.mib)

    def note_singles(self, ran: Ran) -> None:
        self.single_ms.append(1000 * median(ran.latencies))

    @property
    def last(self) -> str:
        """The last repeat in a line."""
        parts = ", ".join(f"{name} {ms:.2f}" for name, ms in self.cpu_ms[-1].items())
        told = f"{self.steps_per_second[-1]:.0f} steps/s, one session {self.single_ms[-1]:.0f} ms"
        return f"{told}, {sum(self.cpu_ms[-1].values()):.2f} ms of processor a step: {parts}"

    @property
    def cpu_ms_by_process(self) -> dict[str, float]:
        return {name: median(each[name] for each in self.cpu_ms) for name in self.cpu_ms[0]}

    @property
    def cpu_ms_per_step(self) -> float:
        return median(sum(each.values()) for each in self.cpu_ms)
