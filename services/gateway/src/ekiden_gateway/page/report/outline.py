"""Any JSON as an outline in Markdown: what a step answered, whatever workflow it is of."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from ekiden_gateway.page.languages import Words
from ekiden_gateway.page.rendering import clipped, label, web_address
from ekiden_gateway.page.report.markdown import inline, link, quoted

Fields = Mapping[str, object]
LONG = 240
"""Characters of a text that has lines of its own."""
LONGEST = 4_000
DEEPEST = 6
_HEADS = ("title", "question", "name", "claim")
_DOT = " · "
_IDENTIFIER = re.compile(r"[a-z]+(?:_[a-z]+)+")
"""A choice out of a schema: current_events."""


def outline(fields: Fields, t: Words, depth: int = 0) -> Iterator[str]:
    """The lines of a list: an entry for each field that says something, with its own entries below it."""
    pad = "  " * depth
    for name, value in fields.items():
        if value is None or value == "" or value == []:
            continue
        yield from _field(f"{pad}- *{field_name(name, t)}:*", value, t, depth)


def field_name(name: str, t: Words) -> str:
    """A name out of a workflow: as the page calls it, else as the workflow writes it."""
    return inline(t(f"field.{name}") if t.has(f"field.{name}") else clipped(label(name), 100))


def source(found: Fields, t: Words) -> str:
    """One source: what it is called in the prompts, its title as a link, its date.

    The question that found it stands with what was found.
    """
    name = found.get("sourceId") or found.get("id")
    date = found.get("date") or t("report.undated")
    title = link(found.get("title") or found.get("url") or "", found.get("url"))
    return f"{f'**{inline(name)}** ' if name else ''}{title}{_DOT}{inline(date)}"


def _field(lead: str, value: object, t: Words, depth: int) -> Iterator[str]:
    pad = "  " * (depth + 1)
    if isinstance(value, Mapping):
        fields = cast("Fields", value)
        if _is_source(fields):
            yield f"{lead} {source(fields, t)}"
            return
        yield lead
        yield from outline(fields, t, depth + 1) if depth < DEEPEST else [f"{pad}- …"]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _list(lead, cast("Sequence[object]", value), t, depth)
    elif isinstance(value, str) and ("\n" in value.strip() or len(value) > LONG):
        yield lead
        yield from quoted(clipped(value, LONGEST), pad)
    else:
        yield f"{lead} {_scalar(value, t)}"


def _list(lead: str, values: Sequence[object], t: Words, depth: int) -> Iterator[str]:
    pad = "  " * (depth + 1)
    texts = [_scalar(value, t) for value in values if not isinstance(value, Mapping | list)]
    if len(texts) == len(values) and sum(map(len, texts)) <= LONG:
        yield f"{lead} {_DOT.join(texts)}"
        return
    yield lead
    for place, value in enumerate(values, 1):
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _item(cast("Fields", value), place, t, depth + 1)
        else:
            yield f"{pad}- {_scalar(cast('object', value), t)}"


def _item(fields: Fields, place: int, t: Words, depth: int) -> Iterator[str]:
    """One entry of a list: its number and what it is called, then the rest of it."""
    pad = "  " * depth
    if _is_source(fields):
        yield f"{pad}- {source(fields, t)}"
        return
    number = next((name for name, value in fields.items() if _is_number(name) and isinstance(value, int)), None)
    head = _head(fields)
    said = f" {inline(clipped(str(fields[head]), 300))}" if head else ""
    yield f"{pad}- **{fields[number] if number else place}.{said}**"
    yield from outline({name: value for name, value in fields.items() if name not in {number, head}}, t, depth + 1)


def _head(fields: Fields) -> str | None:
    """Which field says what this is."""
    texts = [name for name, value in fields.items() if isinstance(value, str) and value.strip()]
    titles = [name for name in texts if name in _HEADS or name.endswith("Title")]
    return (titles or [name for name in texts if len(str(fields[name])) <= LONG] or [None])[0]


def _is_number(name: str) -> bool:
    return name in {"n", "number"} or name.endswith("Number")


def _is_source(fields: Fields) -> bool:
    return isinstance(fields.get("url"), str) and set(fields) <= {"id", "sourceId", "title", "url", "date", "question"}


def _scalar(value: object, t: Words) -> str:
    if isinstance(value, bool):
        return t("value.yes") if value else t("value.no")
    text = str(value)
    if t.has(f"choice.{text}"):
        return inline(t(f"choice.{text}"))
    if _IDENTIFIER.fullmatch(text):
        return inline(label(text))
    return link(text, text) if web_address(text) else inline(clipped(text, LONGEST))
