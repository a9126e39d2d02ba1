"""What became different from one session to its replay: step by step and draft by draft, as a person reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import cast

from ekiden_cli.wrap import clean
from ekiden_client import Drafts, Session, Task

_ABOUT = frozenset({"createdAt", "editedAt", "revision", "simulated", "conceptNumber", "status", "editedContent"})
"""What is said of a draft, and not in it."""


@dataclass(frozen=True)
class Change:
    """One result, or one draft, before and after."""

    what: str
    old: object
    new: object

    @property
    def changed(self) -> bool:
        return self.old != self.new

    def lines(self) -> Iterator[str]:
        """The lines that went (-) and came (+), each with its place."""
        before, after = list(flat(self.old)), list(flat(self.new))
        yield from (
            line for line in unified_diff(before, after, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))
        )


@dataclass(frozen=True)
class Difference:
    """A replay beside the session it replays; `paid` and `recorded` count the replay's calls."""

    steps: Sequence[Change]
    drafts: Sequence[Change]
    paid: int
    recorded: int

    def document(self) -> dict[str, object]:
        return {
            "callsPaid": self.paid,
            "callsRecorded": self.recorded,
            "steps": [_document(change, "position") for change in self.steps],
            "drafts": [_document(change, "conceptNumber") for change in self.drafts],
        }


def compare(old: tuple[Session, Drafts], new: tuple[Session, Drafts], tasks: Sequence[Task]) -> Difference:
    before, after = [{f"{step.phase}.{step.step}": step.result for step in one.steps} for one, _ in (old, new)]
    places = sorted({*before, *after}, key=_order)
    first, second = [{str(draft.concept_number): _text(draft.raw) for draft in found.drafts} for _, found in (old, new)]
    return Difference(
        steps=[Change(place, before.get(place), after.get(place)) for place in places],
        drafts=[Change(name, first.get(name), second.get(name)) for name in sorted({*first, *second}, key=int)],
        paid=sum(1 for task in tasks for sent in task.submissions if sent.outcome != "not_sent"),
        recorded=sum(1 for task in tasks if task.cached_from),
    )


def difference_lines(found: Difference, most: int) -> Iterator[str]:
    """What changed, at most so many lines of each step; drafts are told whole."""
    same = [change.what for change in found.steps if not change.changed]
    if same:
        yield f"Unchanged: {', '.join(same)}"
    for change in found.steps:
        if change.changed:
            lines = list(change.lines())
            yield from ("", f"{change.what}", *(f"  {clean(line)}" for line in lines[:most]))
            if len(lines) > most:
                yield f"  … {len(lines) - most} more lines; --json has all of them"
    for change in found.drafts:
        yield ""
        yield f"Draft {change.what}{'' if change.changed else ': unchanged'}"
        yield from (f"  {clean(line)}" for line in change.lines())


def flat(value: object, place: str = "") -> Iterator[str]:
    """JSON as lines, each with its place: `posts[1].title: …`."""
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield from flat(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(cast("Sequence[object]", value), 1):
            yield from flat(inner, f"{place}[{index}]")
    elif value is not None:
        yield from (f"{place}: {line}" if place else line for line in str(value).splitlines() if line.strip())


def _document(change: Change, name: str) -> dict[str, object]:
    told: dict[str, object] = {name: change.what, "changed": change.changed}
    return told | ({"old": change.old, "new": change.new} if change.changed else {})


def _text(draft: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in draft.items() if name not in _ABOUT}


def _order(place: str) -> tuple[int, int]:
    phase, _, step = place.partition(".")
    return int(phase), ("THINK", "EXECUTE", "INTEGRATE").index(step)
