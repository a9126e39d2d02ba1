"""What a fault run shows at its end: a row for each part, all of them in one table."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

MOST_SECONDS = 600.0
"""A part ends within ten minutes."""
FEWEST_FAULTS = 500
FEWEST_SESSIONS = 1_000
REPEATED_MESSAGES = {"message delivered again", "event out of order", "stale event"}
"""Faults that cost nothing to deal out by the thousand: left out of what a whole run must reach."""


@dataclass
class Part:
    """One part of the run: which faults really struck, and what became of the sessions under them."""

    name: str
    faults: Counter[str] = field(default_factory=Counter[str])
    sessions: int = 0
    completed: int = 0
    searches: int = 0
    searches_twice: int = 0
    resends: int = 0
    gpt_twice: int = 0
    dead_letters: int = 0
    slowest_seconds: float = 0.0
    """The longest it took from a fault, or from a server's port answering again, to work going on."""
    notes: list[str] = field(default_factory=list[str])
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def struck(self) -> int:
        return self.faults.total()

    @property
    def struck_hard(self) -> int:
        return self.struck - sum(self.faults[kind] for kind in REPEATED_MESSAGES)

    def went_on_after(self, seconds: float) -> None:
        self.slowest_seconds = max(self.slowest_seconds, seconds)

    def cells(self) -> tuple[str, ...]:
        kinds = ", ".join(f"{times} {kind}" for kind, times in sorted(self.faults.items()))
        return (
            self.name,
            *(f"{count:,}" for count in (self.struck, self.sessions, self.completed, self.searches)),
            *(f"{count:,}" for count in (self.searches_twice, self.resends, self.gpt_twice, self.dead_letters)),
            f"{self.slowest_seconds:.1f}",
            f"{self.seconds:.0f}",
            kinds,
        )


HEAD = (
    "part",
    "faults",
    "sessions",
    "completed",
    "searches bought",
    "bought twice",
    "resends of unknown",
    "GPT sent twice",
    "dead letters",
    "p100 s to go on",
    "took s",
    "by kind",
)


def table(parts: Sequence[Part], seed: int) -> str:
    """The parts and their sum as a Markdown table."""
    added = _sum(parts)
    rows = [HEAD, *(part.cells() for part in parts), added.cells(), _without_messages(added, parts).cells()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in (*widths, len(HEAD[-1]))) + "|")
    notes = [f"{part.name}: {note}" for part in parts for note in part.notes]
    return "\n".join([*lines, *notes, f"seed {seed}"])


def shortfalls(parts: Sequence[Part]) -> list[str]:
    """What a run of all parts has not reached, one sentence each; repeated messages do not count as faults."""
    faults, sessions = sum(part.struck_hard for part in parts), sum(part.sessions for part in parts)
    wanted = ((faults, FEWEST_FAULTS, "faults without repeated messages"), (sessions, FEWEST_SESSIONS, "sessions"))
    return [
        f"{count:,} {what} in all parts, at least {least:,} are to be" for count, least, what in wanted if count < least
    ]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = (cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=True))
    return f"| {first.strip().ljust(widths[0])} | " + " | ".join([*numbers, row[-1]]) + " |"


def _sum(parts: Sequence[Part]) -> Part:
    added = Part("all")
    for name in ("sessions", "completed", "searches", "searches_twice", "resends", "gpt_twice", "dead_letters"):
        setattr(added, name, sum(getattr(part, name) for part in parts))
    added.faults["of all kinds"] = sum(part.struck for part in parts)
    added.slowest_seconds = max((part.slowest_seconds for part in parts), default=0.0)
    added.seconds = sum(part.seconds for part in parts)
    return added


def _without_messages(added: Part, parts: Sequence[Part]) -> Part:
    faults = Counter({"of all kinds": sum(part.struck_hard for part in parts)})
    return replace(added, name="all, without repeated messages", faults=faults)
