"""Drafts as a person reads them: on a terminal with lines of readable length, elsewhere as text to be piped on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import cast

from rich.cells import cell_len
from rich.console import Group
from rich.style import Style
from rich.text import Text

from ekiden_cli.relay_view import LONGEST_LINE
from ekiden_cli.wrap import clean, pad, wrap
from ekiden_client import Draft

_LABEL_CELLS = 13
_INDENT = "   "
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Kind(Enum):
    """How a part of a draft is set."""

    TEXT = "text"
    POST = "post"
    LIST = "list"
    TAGS = "tags"
    NOTE = "note"


@dataclass(frozen=True)
class Part:
    """One part of a draft; a line of a list may carry a second, quieter one, such as a source's address."""

    label: str
    kind: Kind
    lines: tuple[tuple[str, str], ...]


def parts(draft: Draft) -> Iterator[Part]:
    """Give what a draft holds, in reading order; what is empty is left out."""
    texts = (
        Part("Hook", Kind.TEXT, _one(draft.hook)),
        Part("Angle", Kind.TEXT, _one(draft.angle)),
        Part("Format", Kind.TEXT, _one(draft.format)),
        Part("Text", Kind.POST, _one(draft.text)),
        Part("Thread", Kind.LIST, tuple((post, "") for post in draft.thread or ())),
        Part("Hashtags", Kind.TAGS, _one(" ".join(draft.hashtags or ()))),
        Part("Visual guide", Kind.TEXT, _one(draft.visual_guide)),
        Part("Timing", Kind.TEXT, _one(draft.timing)),
        Part("Sources", Kind.LIST, _sources(draft)),
        Part("KPIs", Kind.LIST, tuple((f"{kpi.name}: {kpi.target}", "") for kpi in draft.kpis or ())),
        Part("Risks", Kind.TEXT, _one(draft.risk_assessment)),
        Part("Tips", Kind.LIST, tuple((tip, "") for tip in draft.optimization_tips or ())),
        *(_further(name, value) for name, value in draft.further.items()),
        Part("Checks", Kind.NOTE, _one(", ".join(flag.replace("_", " ").replace(":", " in ") for flag in draft.flags))),
    )
    return (part for part in texts if part.lines)


def draw_draft(draft: Draft, *, of: int, platform: str, simulated: bool, terminal_width: int) -> Group:
    """A draft for a terminal. The post stands alone between empty lines, so that it can be copied."""
    width = min(terminal_width, LONGEST_LINE) - 1
    rows: list[Text] = [*_head(draft, of, platform, width, simulated=simulated)]
    for part in parts(draft):
        if part.kind is Kind.POST:
            rows += [Text(), Text("  " + part.label, style="bold cyan"), Text()]
            rows += [
                Text(_INDENT + line, style="bold") for line in wrap(clean(part.lines[0][0]), width - len(_INDENT) - 1)
            ]
            rows.append(Text())
        else:
            rows += _labelled(part, width)
    return Group(*rows, Text())


def print_draft(draft: Draft, *, of: int, platform: str, simulated: bool) -> str:
    """A draft as plain text; the post is as it was written, unbroken."""
    mark = "  [simulated]" if simulated else ""
    title = clean(draft.title)
    lines = [
        f"--- Draft {draft.concept_number} of {of}{f' for {platform}' if platform else ''}{mark}",
        f"Title: {title}",
    ]
    for part in parts(draft):
        if part.kind is Kind.POST:
            lines += [f"{part.label}:", "", clean(part.lines[0][0]), ""]
        elif part.kind is Kind.LIST:
            lines.append(f"{part.label}:")
            lines += [f"- {clean(line)}{f' <{clean(aside)}>' if aside else ''}" for line, aside in part.lines]
        else:
            lines.append(f"{part.label}: {clean(part.lines[0][0])}")
    return "\n".join(lines) + "\n"


def _one(text: str) -> tuple[tuple[str, str], ...]:
    return ((text, ""),) if text.strip() else ()


def _further(name: str, value: object) -> Part:
    return Part(_label(name), Kind.TEXT if isinstance(value, str) else Kind.LIST, _lines(value))


def _label(name: str) -> str:
    """A name out of a workflow as words: `keyPoints` → Key points."""
    return _HUMP.sub(" ", clean(name)).replace("_", " ").capitalize()


def _lines(value: object) -> tuple[tuple[str, str], ...]:
    """Whatever JSON a workflow gave a draft, a line for each of its parts."""
    match value:
        case None:
            return ()
        case list():
            return tuple(line for item in cast("list[object]", value) for line in _lines(item))
        case dict():
            parts = cast("dict[str, object]", value)
            return _one(", ".join(f"{_label(name)}: {part}" for name, part in parts.items() if part is not None))
        case _:
            return _one(str(value))


def _sources(draft: Draft) -> tuple[tuple[str, str], ...]:
    """The sources with their dates; the main one alone where a draft lists none."""
    if draft.sources:
        return tuple(
            (f"{source.title}{f' ({source.date})' if source.date else ''}", source.url) for source in draft.sources
        )
    if draft.news_source or draft.source_url:
        return ((draft.news_source or draft.source_url, draft.source_url),)
    return ()


def _head(draft: Draft, of: int, platform: str, width: int, *, simulated: bool) -> list[Text]:
    number = f" {draft.concept_number}/{of} "
    asides = [("SIMULATED", "bold black on yellow")] if simulated else []
    asides += [(draft.status, "bright_black")] if draft.status not in ("", "DRAFT") else []
    asides += [(platform, "cyan")] if platform else []
    right = Text("  ").join(
        Text(f" {words} " if words == "SIMULATED" else words, style=style) for words, style in asides
    )
    rule = max(width - len(number) - cell_len(right.plain) - 4, 3)
    top = Text.assemble("  ", (number, "bold white on red"), " ", ("─" * rule, "bright_black"), " ", right)
    title = [Text("  " + line, style="bold") for line in wrap(clean(draft.title), width - 2)]
    return [top, *title, Text()]


def _labelled(part: Part, width: int) -> Iterator[Text]:
    """The label at the left of the first line, the text beside it."""
    room = width - 2 - _LABEL_CELLS - 1
    label = pad(part.label, _LABEL_CELLS)
    style = {Kind.TAGS: "cyan", Kind.NOTE: "yellow"}.get(part.kind, "")
    for line, aside in part.lines:
        bullet = "· " if part.kind is Kind.LIST else ""
        for place, piece in enumerate(wrap(clean(line), room - len(bullet))):
            lead = bullet if place == 0 else " " * len(bullet)
            yield Text.assemble("  ", (label, "bold cyan"), (lead, "bright_black"), (piece, style))
            label = " " * _LABEL_CELLS
        if aside:
            address = clean(aside)
            for piece in wrap(address, room - len(bullet)):
                link = Style(
                    color="bright_black", link=address if address.startswith(("http://", "https://")) else None
                )
                yield Text.assemble("  ", label, " " * len(bullet), (piece, link))
