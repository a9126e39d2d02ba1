"""What `make bench` makes of what it measured: quantiles, ratios, bars, the two files."""

import asyncio
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest
from benchmarks.bars import BARS, Found, hold
from benchmarks.compare import side_by_side
from benchmarks.contestants import IN_FLIGHT, STEPS, WARM_UP, Length, Ran, run_all
from benchmarks.figures import Figures, at, ratio
from benchmarks.meter import Meter, Used
from benchmarks.plot import Line, chart, tick_step
from benchmarks.report import page, results, table


def figures(*steps_per_second: float, single_ms: float = 60.0) -> Figures:
    """Of contestants that use two milliseconds of processor a step, and the broker one."""
    found = Figures({"it": "1.0"})
    for speed in steps_per_second:
        sessions = 10
        used = {name: Used(100.0, ms * STEPS * sessions / 1000, 1.0) for name, ms in (("it-1", 2), ("rabbitmq", 1))}
        found.note_load(Ran(STEPS * sessions / speed, [0.1] * sessions), used)
        found.note_singles(Ran(1.0, [single_ms / 1000] * 3))
    return found


def a_run(backlog_cpu: float | None = 1.05) -> Found:
    ours = figures(700.0, 800.0, 600.0)
    ours.handoff_ms = [float(n) for n in range(100)]
    peers = {
        "celery": figures(200.0, 200.0, 200.0, single_ms=1500.0),
        "dbos": figures(300.0, 300.0, 300.0, single_ms=60.0),
        "limit": figures(1000.0, 1000.0, 1000.0),
    }
    return Found({"ekiden": ours, **peers}, accepted_per_second=151.0, backlog_cpu=backlog_cpu)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]

    assert (at(values, 0.5), at(values, 0.99), at(values, 0.0)) == (3.0, 5.0, 1.0)


def test_a_ratio_compares_what_ran_at_the_same_time() -> None:
    """Something struck both in the second repeat; medians taken apart would say 3."""
    assert ratio([400.0, 40.0, 300.0], [200.0, 20.0, 100.0]) == 2.0


def test_figures_of_different_repeats_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_processor_time_is_told_for_a_step_and_for_each_process() -> None:
    found = figures(100.0, 300.0)

    assert found.steps_per_second == pytest.approx([100.0, 300.0])
    assert found.cpu_ms_per_step == pytest.approx(3.0)
    assert found.cpu_ms_by_process == pytest.approx({"it-1": 2.0, "rabbitmq": 1.0})


def test_a_bar_is_met_or_not_met_or_not_measured() -> None:
    met = {held.bar.measure: held.met for held in hold(a_run())}

    assert met["steps/s, as a multiple of Celery's"] is True  # 3.5, of 3.5
    assert met["steps/s, as a multiple of DBOS's"] is False  # 2.33, of 3
    assert met["steps/s, as a multiple of LangGraph's"] is None
    assert met["one session, as a share of Celery's"] is True
    assert met["hand-off, p99, ms"] is False
    assert met["sessions created and started over HTTP, each second"] is True


def test_a_quick_run_does_not_claim_what_it_did_not_measure() -> None:
    backlog = [held for held in hold(a_run(backlog_cpu=None)) if "10,000" in held.bar.measure]

    assert [held.met for held in backlog] == [None]


def test_results_have_what_programs_rely_on() -> None:
    told = results(a_run())

    promised = {
        "stepsPerSecond",
        "sessionsPerSecond",
        "singleSessionMs",
        "handoffP50Ms",
        "handoffP99Ms",
        "cpuMsPerStep",
    }
    assert promised <= told["ekiden"].keys()
    assert told["ekiden"]["sessionsPerSecond"] == pytest.approx(700 / 13, abs=0.01)
    assert len(told["bars"]) == len(BARS)
    json.dumps(told)


def test_the_page_shows_each_contestant_and_each_bar() -> None:
    found = a_run()
    where = {"commit": "abc", "machine": "two cores", "seconds": 90}

    text = page(found, where | results(found), Length(50, 10, 3))

    assert all(f"| {name} (it 1.0) |" in text for name in found.contestants)
    assert all(f"| {bar.measure} |" in text for bar in BARS)
    assert "| steps/s, as a multiple of DBOS's | ≥ 3 | 2.33 | **not met** |" in text
    assert (
        f"\n{len(found.ours.steps_per_second)} interleaved repeats of 10 sessions" in text
    )  # there was no time for more
    assert "| 100 MiB |" in text  # its own process; the broker is everybody's


def test_a_table_has_a_line_under_its_head() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


async def test_no_more_sessions_run_than_are_asked_for() -> None:
    running = most = 0

    async def session(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    ran = await run_all(session, 20, 4)

    assert (len(ran.latencies), most) == (20, 4)


def test_a_meter_counts_the_children_of_a_process() -> None:
    """What an ended child has used is its parent's, once it was waited for; in ticks, which are cut off."""
    meter = Meter.of(os.getpid())
    busy = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)

    assert meter.read().cpu_seconds >= 0.15


@pytest.mark.parametrize(("most", "step"), [(9.4, 2.0), (3.1, 0.5), (120.0, 20.0), (0.8, 0.1)])
def test_ticks_are_few_and_round(most: float, step: float) -> None:
    assert tick_step(most) == pytest.approx(step)


def test_a_chart_is_a_picture_of_every_line() -> None:
    lines = [Line("one & two", [(1, 4.0), (100, 5.0)]), Line("three", [(1, 4.0), (10_000, 6.0)])]

    picture = ET.fromstring(chart("Processor <time>", "in flight", lines))

    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Processor <time>", "in flight", "one & two", "three", "10,000"} <= set(texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}polyline"))) == 2


class Idle:
    """A contestant that is done at once, and counts."""

    name = "idle"

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.runs = list[tuple[int, int]]()

    async def open(self) -> None: ...

    def pids(self) -> dict[str, int]:
        return {}

    async def run(self, sessions: int, in_flight: int) -> Ran:
        self.runs.append((sessions, in_flight))
        return Ran(1.0, [0.1] * sessions)

    async def close(self) -> None: ...


@pytest.mark.parametrize(("seconds", "repeats"), [(60.0, 3), (-1.0, 1)])
async def test_no_more_repeats_are_begun_than_there_is_time_for(seconds: float, repeats: int) -> None:
    one, other = Idle(), Idle()
    other.name = "other"

    found = await side_by_side([one, other], {}, Length(3, 20, 2), time.monotonic() + seconds)

    assert one.runs == other.runs == [(WARM_UP, WARM_UP), *[(20, IN_FLIGHT), (2, 1)] * repeats]
    assert len(found["other"].steps_per_second) == repeats
