"""The live view of a session on a terminal: the legs of a relay, what they cost, and what is being waited for."""

import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from ekiden.domain.title import as_text, title_of
from ekiden_cli.legs import Leg, Mark, Searches, Station, legs
from ekiden_cli.wording import seconds as spell_seconds
from ekiden_cli.wording import sentence_of, usd, waits_for
from ekiden_cli.wrap import clean, pad, shorten, wrap
from ekiden_client import Entry, SessionStatus, SessionSummary, Step
from ekiden_client.models.tasks import TaskState

LONGEST_LINE = 100
"""Beyond this many cells lines are hard to read, however wide the terminal is."""
_LONGEST_TITLE = 30
_SHORTEST_BAR = 10
_EXECUTE_CELLS = 6
"""Behind the name of the step: its sign and how many of its searches have ended."""
_FULL_TRACK_FROM = 72
"""Below so many cells the steps are told by their first letters."""

_RUNNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_PER_SECOND = 10

_STYLES: Mapping[Mark, str] = {
    Mark.AHEAD: "bright_black",
    Mark.RUNNING: "bold cyan",
    Mark.WAITING: "bold yellow",
    Mark.DONE: "green",
    Mark.FAILED: "bold red",
    Mark.CANCELLED: "bright_black",
}
_SIGNS: Mapping[Mark, str] = {
    Mark.AHEAD: "·",
    Mark.WAITING: "‖",
    Mark.DONE: "✓",
    Mark.FAILED: "✗",
    Mark.CANCELLED: "–",
}
STATUS_STYLES: Mapping[str, str] = {
    "COMPLETED": "bold green",
    "FAILED": "bold red",
    "CANCELLED": "bright_black",
    "WAITING": "bold yellow",
    "PENDING": "bright_black",
}


class RelayView:
    """Keeps what was seen last, and draws it whenever it is asked."""

    def __init__(self, head: SessionSummary, fan_outs: Collection[int] = frozenset()) -> None:
        self._head_of = head
        self._fan_outs = fan_outs
        self._status: SessionStatus | None = None
        self._tasks: dict[str, TaskState] = {}
        self._last = ""
        self._away_seconds: float | None = None

    def show_status(self, status: SessionStatus) -> None:
        self._status = status
        for task in (*status.async_tasks.recent, *status.async_tasks.current):
            self._tasks[task.id] = task

    def show_entry(self, entry: Entry) -> None:
        self._last = sentence_of(entry) or self._last

    def show_away(self, seconds: float | None) -> None:
        """The gateway has been away for so long; None when it is back."""
        self._away_seconds = seconds

    def draw(self, terminal_width: int, now: datetime | None = None, *, moving: bool = True) -> Group:
        """Return the view as it is now; not `moving` is for the last picture, which stays."""
        width = min(terminal_width, LONGEST_LINE) - 2
        if self._status is None:
            return Group(Text(" …", style="bright_black"))
        now = now or datetime.now(UTC)
        rows = legs(self._status, self._tasks.values(), now, self._fan_outs)
        return Group(
            *self._head(self._status, width),
            Text(),
            *(self._leg(leg, width, moving=moving) for leg in rows),
            Text(),
            self._progress(self._status, width, now),
            self._money(self._status, width),
            *(self._foot(self._status, width) if moving else []),
        )

    def _head(self, status: SessionStatus, width: int) -> list[Text]:
        session = status.session
        head = self._head_of
        told = clean(title_of(head.input, session.id))
        asked = (text for text in (clean(as_text(value)) for value in head.input.values()) if text != told)
        known = (session.workflow.split("@")[0], *asked, head.language)
        mark = " SIMULATED " if status.simulated else ""
        first = Text.assemble(" ", ("駅伝", "bold red"), "  ", (shorten(told, width - 6), "bold"))
        details = shorten(" · ".join(part for part in known if part), width - 7 - len(mark) - 2)
        left = Text.assemble(" " * 7, (details, "bright_black"))
        return [
            first,
            _sides(left, Text(mark, style="bold black on yellow" if mark else ""), width + 1),
            Text(" " * max(min(7, width - len(session.id)), 1) + session.id, style="bright_black"),
        ]

    def _leg(self, leg: Leg, width: int, *, moving: bool) -> Text:
        style = _STYLES[leg.mark]
        sign = self._sign(leg.mark, moving=moving)
        track = self._track(leg, short=width < _FULL_TRACK_FROM, moving=moving)
        title_width = max(min(_LONGEST_TITLE, width - 4 - track.cell_len - 2 - 13), 4)
        time = spell_seconds(leg.seconds) if leg.seconds is not None else ""
        left = Text.assemble(
            (f" {sign} ", style),
            (f"{leg.number} ", style),
            (pad(clean(leg.title), title_width), _title_style(leg.mark)),
            "  ",
            track,
        )
        return _sides(left, Text(time, style="bright_black" if leg.mark is Mark.DONE else style), width + 1)

    def _track(self, leg: Leg, *, short: bool, moving: bool) -> Text:
        """The stations and the stretches between them; INTEGRATE stands below INTEGRATE, with an EXECUTE or without."""
        stretch = 1 if short else 2
        execute = len(_name(Step.EXECUTE, short=short)) + _EXECUTE_CELLS
        track = Text()
        for place, station in enumerate(leg.stations):
            if place:
                missing = execute + stretch + 2 if len(leg.stations) == 2 else 0
                track.append(f" {'─' * (stretch + missing)} ", style=_STYLES[_reached(station.mark)])
            told = self._station(station, short=short, moving=moving)
            if station.step == Step.EXECUTE:
                told.pad_right(execute - told.cell_len)
            track.append_text(told)
        return track

    def _station(self, station: Station, *, short: bool, moving: bool) -> Text:
        sign = self._sign(station.mark, moving=moving)
        text = Text(f"{_name(station.step, short=short)} {sign}", style=_STYLES[station.mark])
        if station.step == Step.EXECUTE:
            text.append(_tally(station.searches), style="red" if station.searches.failed else _STYLES[station.mark])
        return text

    def _sign(self, mark: Mark, *, moving: bool) -> str:
        if mark is not Mark.RUNNING:
            return _SIGNS[mark]
        return _RUNNER[int(time.monotonic() * _FRAMES_PER_SECOND) % len(_RUNNER)] if moving else "▶"

    def _progress(self, status: SessionStatus, width: int, now: datetime) -> Text:
        session, progress = status.session, status.progress
        ended_at = session.ended_at or now
        elapsed = max((ended_at - session.started_at).total_seconds(), 0.0) if session.started_at else 0.0
        remaining = progress.estimated_seconds_remaining
        told = f" {progress.percentage:3.0f} %  {spell_seconds(elapsed)}"
        to_go = f", about {spell_seconds(remaining)} to go" if remaining and not session.ended else ""
        told += to_go if width - 6 - cell_len(told + to_go) >= _SHORTEST_BAR else ""
        bar = max(width - 6 - cell_len(told), _SHORTEST_BAR)
        run = round(bar * min(progress.percentage, 100) / 100)
        style = STATUS_STYLES.get(session.status, "bold cyan")
        return Text.assemble("   ", ("━" * run, style), ("─" * (bar - run), "bright_black"), (told, ""))

    def _money(self, status: SessionStatus, width: int) -> Text:
        cost = status.cost
        parts = [
            (f"{usd(cost.spent_usd)} spent", "bold"),
            (f"{usd(cost.reserved_usd)} reserved", "" if cost.reserved_usd else "bright_black"),
            (f"{usd(cost.budget_usd)} budget", "bright_black"),
        ]
        if cost.saved_usd:
            parts.append((f"{usd(cost.saved_usd)} saved", "green"))
        text = Text("   ")
        for place, (words, style) in enumerate(parts):
            text.append(" · " if place else "", style="bright_black").append(words, style=style)
        text.truncate(width, overflow="ellipsis")
        return text

    def _foot(self, status: SessionStatus, width: int) -> list[Text]:
        """What is being waited for, always in two lines, so that the picture does not jump."""
        if self._away_seconds is not None:
            told, style = f"The gateway is away, trying again ({self._away_seconds:.0f} s)", "bold yellow"
        elif status.session.status == "WAITING":
            told, style = f"The session {waits_for(status.session.waiting_reason)}", "bold yellow"
        elif status.next_action.message:
            told, style = status.next_action.message, "bright_black"
        else:
            told, style = self._last, "bright_black"
        first, *rest = wrap(clean(told), width - 3)
        second = shorten(" ".join(rest), width - 3)
        return [Text("   " + line, style=style) for line in (first, second)]


def _reached(mark: Mark) -> Mark:
    """The stretch before a station is run once the station is reached."""
    return Mark.DONE if mark not in (Mark.AHEAD, Mark.CANCELLED) else Mark.AHEAD


def _title_style(mark: Mark) -> str:
    return {Mark.DONE: "", Mark.AHEAD: "bright_black"}.get(mark, "bold")


def _name(step: Step, *, short: bool) -> str:
    return step[0] if short else step.value


def _tally(searches: Searches) -> str:
    return f" {searches.ended}/{searches.total}" if searches.total else ""


def _sides(left: Text, right: Text, width: int) -> Text:
    """One text at the left edge, one at the right edge of a line."""
    gap = max(width - cell_len(left.plain) - cell_len(right.plain), 1)
    return Text.assemble(left, " " * gap, right)
