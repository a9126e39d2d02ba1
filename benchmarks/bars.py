"""The bars that Ekiden sets itself, as data, each with what one run found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figures, at, ratio


@dataclass(frozen=True)
class Found:
    """All that a run of `make bench` measured. A quick one has no backlog."""

    contestants: Mapping[str, Figures]
    accepted_per_second: float
    backlog_cpu: float | None = None
    """Processor time of a step with many sessions queued, as a multiple of that with few."""

    @property
    def ours(self) -> Figures:
        return self.contestants["ekiden"]

    def speed(self, peer: str) -> float:
        return ratio(self.ours.steps_per_second, self.contestants[peer].steps_per_second)

    def single(self, peer: str) -> float:
        return ratio(self.ours.single_ms, self.contestants[peer].single_ms)


@dataclass(frozen=True)
class Bar:
    """`needs` names the peer without which there is nothing to measure."""

    measure: str
    bound: float
    at_least: bool
    figure: Callable[[Found], float | None]
    needs: str | None = None


@dataclass(frozen=True)
class Held:
    """A bar beside what was found; `met` is nothing where that was not measured."""

    bar: Bar
    found: float | None

    @property
    def met(self) -> bool | None:
        if self.found is None:
            return None
        return self.found >= self.bar.bound if self.bar.at_least else self.found <= self.bar.bound


BARS: Sequence[Bar] = (
    Bar("steps/s, as a multiple of Celery's", 3.5, True, lambda found: found.speed("celery"), "celery"),
    Bar("steps/s, as a multiple of DBOS's", 3.0, True, lambda found: found.speed("dbos"), "dbos"),
    Bar("steps/s, as a multiple of LangGraph's", 1.5, True, lambda found: found.speed("langgraph"), "langgraph"),
    Bar("steps/s, as a share of the limit", 0.5, True, lambda found: found.speed("limit"), "limit"),
    Bar("one session, as a multiple of DBOS's", 1.5, False, lambda found: found.single("dbos"), "dbos"),
    Bar("one session, as a share of Celery's", 1 / 15, False, lambda found: found.single("celery"), "celery"),
    Bar("hand-off, p50, ms", 8.0, False, lambda found: at(found.ours.handoff_ms, 0.5)),
    Bar("hand-off, p99, ms", 40.0, False, lambda found: at(found.ours.handoff_ms, 0.99)),
    Bar("CPU a step, 10,000 sessions in flight against 100", 1.1, False, lambda found: found.backlog_cpu),
    Bar("sessions created and started over HTTP, each second", 150.0, True, lambda found: found.accepted_per_second),
)


def hold(found: Found, bars: Sequence[Bar] = BARS) -> list[Held]:
    return [Held(bar, bar.figure(found) if bar.needs in {None, *found.contestants} else None) for bar in bars]
