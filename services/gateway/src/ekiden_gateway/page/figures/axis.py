"""The time axis: when each call was under way. Long waits in which nothing was are cut out, and marked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from ekiden.domain.ids import Position, TaskName

Document = Mapping[str, Any]
Span = tuple[datetime, datetime]
LONGEST_WAIT = 0.1
"""A wait longer than this part of the time under way is cut."""
CUT = 0.05
"""As wide is a cut, whatever its length, in the same measure."""
MOST_TICKS = 5
LAST_TICK = 0.96
"""Further to the end a tick would run into it."""
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_TONES = {"completed": "done", "unknown": "wait"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One sending of a call: where it begins and how wide it is, in percent of the axis, on the row's `lane`."""

    x: float
    width: float
    lane: int
    tone: str
    task_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AxisRow:
    position: Position
    lanes: int
    bars: Sequence[Bar]
    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A wait that is not drawn to scale: where, and how long it was."""

    x: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis: where, and how much time had been under way by then."""

    x: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Axis:
    """`seconds` is the time under way, without what was cut."""

    rows: Sequence[AxisRow]
    cuts: Sequence[Cut]
    seconds: float
    ticks: Sequence[Tick] = ()


def axis(ledger: Sequence[Document], now: datetime) -> Axis:
    """The axis of a session's ledger; without rows as long as nothing was sent."""
    sent = [row for row in ledger if _spans(row, now)]
    spans = sorted(span for row in sent for _, span in _spans(row, now))
    if not spans:
        return Axis((), (), 0.0)
    scale = _Scale.of(spans)
    positions = dict.fromkeys(sorted((TaskName.parse(row["_id"]).position for row in sent), key=_order))
    rows = [_row(position, sent, scale, now) for position in positions]
    return Axis(rows, scale.cuts(), scale.busy, scale.ticks())


@dataclass(frozen=True, slots=True)
class _Scale:
    """The stretches in which something was under way, or only little time passed between."""

    stretches: Sequence[Span]
    busy: float

    @classmethod
    def of(cls, spans: Sequence[Span]) -> "_Scale":
        busy = sum((end - begin).total_seconds() for begin, end in _joined(spans, timedelta(0)))
        wait = timedelta(seconds=max(busy * LONGEST_WAIT, 0.25))
        stretches = list(_joined(spans, wait))
        return cls(stretches, sum((end - begin).total_seconds() for begin, end in stretches) or 0.001)

    @property
    def whole(self) -> float:
        return self.busy * (1 + CUT * (len(self.stretches) - 1))

    def percent(self, moment: datetime) -> float:
        passed = 0.0
        for begin, end in self.stretches:
            if moment <= end:
                return 100 * (passed + max(0.0, (moment - begin).total_seconds())) / self.whole
            passed += (end - begin).total_seconds() + self.busy * CUT
        return 100.0

    def ticks(self) -> list[Tick]:
        """At round numbers, the beginning and the end left out."""
        step = next((step for step in _STEPS if self.busy / step <= MOST_TICKS), _STEPS[-1])
        return [Tick(self._after(passed), passed) for passed in range(step, int(self.busy * LAST_TICK) + 1, step)]

    def _after(self, seconds: float) -> float:
        """In percent, where so much time has been under way."""
        cuts, passed = 0, 0.0
        for begin, end in self.stretches[:-1]:
            passed += (end - begin).total_seconds()
            cuts += passed < seconds
        return round(100 * (seconds + cuts * self.busy * CUT) / self.whole, 3)

    def cuts(self) -> list[Cut]:
        """Each in the middle of its gap."""
        between = pairwise(self.stretches)
        half = 50 * self.busy * CUT / self.whole
        return [
            Cut(round(self.percent(before[1]) + half, 3), (after[0] - before[1]).total_seconds())
            for before, after in between
        ]


def _row(position: Position, sent: Sequence[Document], scale: _Scale, now: datetime) -> AxisRow:
    """Calls of one item stand on one lane, whatever generation they are of."""
    tasks = [row for row in sent if TaskName.parse(row["_id"]).position == position]
    lanes = sorted({TaskName.parse(row["_id"]).index for row in tasks})
    bars = [
        _bar(row, tone, span, lanes.index(TaskName.parse(row["_id"]).index), scale)
        for row in tasks
        for tone, span in _spans(row, now)
    ]
    spans = sorted(span for row in tasks for _, span in _spans(row, now))
    busy = sum((end - begin).total_seconds() for begin, end in _joined(spans, timedelta(0)))
    return AxisRow(position, len(lanes), bars, busy)


def _bar(row: Document, tone: str, span: Span, lane: int, scale: _Scale) -> Bar:
    begin, end = scale.percent(span[0]), scale.percent(span[1])
    seconds = (span[1] - span[0]).total_seconds()
    return Bar(round(begin, 3), round(max(0.0, end - begin), 3), lane, tone, row["_id"], seconds)


def _spans(row: Document, now: datetime) -> list[tuple[str, Span]]:
    """When it was under way: each submission, from its sending to its end or to now."""
    found: list[tuple[str, Span]] = []
    for submission in row["submissions"]:
        if submission["outcome"] == "not_sent":
            continue
        ended: datetime | None = submission.get("endedAt")
        tone = _TONES.get(submission["outcome"], "fail") if ended else "run"
        begin: datetime = submission["sentAt"]
        found.append((tone, (begin, max(begin, ended or now))))
    return found


def _joined(spans: Iterable[Span], apart: timedelta) -> Iterable[Span]:
    """Those that overlap, or are no further apart, as one."""
    current: Span | None = None
    for begin, end in spans:
        if current is not None and begin - current[1] <= apart:
            current = current[0], max(current[1], end)
        else:
            if current is not None:
                yield current
            current = begin, end
    if current is not None:
        yield current


def _order(position: Position) -> tuple[int, int]:
    return position.phase, "TEI".index(position.key[-1])
