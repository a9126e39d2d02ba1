"""What `make bench` found, as `results.json` for programs and `results.md` for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.bars import Found, Held, hold
from benchmarks.contestants import IN_FLIGHT, STEPS, Length
from benchmarks.figures import SERVERS, Figures, at

FOLDER = Path(__file__).parent
MEANING = f"""\
Sessions of {STEPS} calls: ten of GPT, three searches beside each other; providers answer at once with 400 bytes, so
that what is measured is the orchestration. One broker and one database for all, everything written with majority and
journal; searches are not cached; logs at warning. What they run is in `peers/`.

- Ekiden as it ships: gateway, orchestrator and two workers on the native stack; sessions are created over HTTP.
- Celery: RabbitMQ (quorum queues, confirms, late acks), MongoDB for results, a chain with a chord. A chord is looked at
  once a second, the least that Celery's delayed delivery on quorum queues can do.
- Taskiq: likewise, a pipeline with a map, which is looked at every 50 ms.
- DBOS on PostgreSQL, LangGraph with its MongoDB checkpointer (durability "sync"): each in one process, as their
  documentation shows.
- The limit: bare aio-pika and MongoDB in as many processes as Ekiden; for each step two messages on quorum queues,
  three journaled writes and two that are not.
- Dramatiq is missing: what its groups call when they are done wants Redis or Memcached.
"""


def results(found: Found) -> dict[str, Any]:
    bars = {held.bar.measure: {"bar": held.bar.bound, "found": held.found, "met": held.met} for held in hold(found)}
    told = {name: _of(figures) for name, figures in found.contestants.items()}
    told["ekiden"] |= {"acceptedPerSecond": round(found.accepted_per_second, 1), "backlogCpuRatio": found.backlog_cpu}
    return told | {"bars": bars}


def _of(figures: Figures) -> dict[str, Any]:
    steps = median(figures.steps_per_second)
    told: dict[str, Any] = {
        "stepsPerSecond": round(steps, 1),
        "sessionsPerSecond": round(steps / STEPS, 2),
        "singleSessionMs": round(median(figures.single_ms), 1),
        "loadedSessionP50Ms": round(at(figures.session_ms, 0.5), 1),
        "loadedSessionP99Ms": round(at(figures.session_ms, 0.99), 1),
        "cpuMsPerStep": round(figures.cpu_ms_per_step, 3),
        "cpuMsPerStepByProcess": {name: round(ms, 3) for name, ms in figures.cpu_ms_by_process.items()},
        "mib": {name: round(mib) for name, mib in figures.mib.items()},
        "versions": dict(figures.versions),
    }
    if figures.handoff_ms:
        told["handoffP50Ms"] = round(at(figures.handoff_ms, 0.5), 1)
        told["handoffP99Ms"] = round(at(figures.handoff_ms, 0.99), 1)
    return told


def page(found: Found, told: Mapping[str, Any], length: Length) -> str:
    repeats = len(found.ours.steps_per_second)
    sizes = f"{repeats} interleaved repeats of {length.sessions} sessions, {IN_FLIGHT} in flight, and"
    ours = told["ekiden"]["cpuMsPerStepByProcess"]
    return "\n\n".join(
        [
            "# Ekiden and its peers, in one run",
            f"Made by `make bench` at commit {told['commit']} in {told['seconds']:.0f} s on {told['machine']}.\n"
            f"{sizes} {length.singles} one by one. Medians; multiples are medians of those of each repeat.",
            table(["measure", "bar", "found", ""], [_bar(held) for held in hold(found)]),
            table(["", "steps/s", "sessions/s", "one session", "CPU a step", "memory"], _rows(told, found)),
            "Memory: the most that its own processes held, pages that they share counted in each.",
            table(["of a step of Ekiden", "processor"], [[name, f"{ms:.2f} ms"] for name, ms in ours.items()]),
            MEANING,
        ]
    )


def _rows(told: Mapping[str, Any], found: Found) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, figures in found.contestants.items():
        its, versions = told[name], ", ".join(f"{what} {version}" for what, version in figures.versions.items())
        memory = sum(mib for process, mib in its["mib"].items() if process not in SERVERS)
        per_second = [f"{its['stepsPerSecond']:.0f}", f"{its['sessionsPerSecond']:.1f}"]
        times = [f"{its['singleSessionMs']:.0f} ms", f"{its['cpuMsPerStep']:.2f} ms"]
        rows.append([f"{name} ({versions})", *per_second, *times, f"{memory} MiB"])
    return rows


def _bar(held: Held) -> list[str]:
    bound = f"{'≥' if held.bar.at_least else '≤'} {held.bar.bound:.3g}"
    found = "–" if held.found is None else f"{held.found:.3g}"
    return [held.bar.measure, bound, found, {True: "met", False: "**not met**", None: "not measured"}[held.met]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(found: Found, length: Length, seconds: float, folder: Path = FOLDER) -> str:
    """Write both; returns the page."""
    where = {"commit": machine.commit(), "machine": machine.machine(), "seconds": round(seconds)}
    told = where | results(found)
    (folder / "results.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = page(found, told, length)
    (folder / "results.md").write_text(text, encoding="utf-8")
    return text
