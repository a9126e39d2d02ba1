"""Drafts as CSV (RFC 4180), for a spreadsheet that must run nothing of what a model wrote."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ekiden_gateway.page.report.drafts import is_edited, text_of
from ekiden_gateway.page.report.markdown import plain

Document = Mapping[str, Any]
BOM = "\ufeff"
"""Tells Excel that a file is UTF-8; other programs may take it for a part of the first column's name."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), full-width letters included."""
_SOURCE = ("title", "url", "date")


def sheet(documents: Sequence[Document], names: Sequence[str], *, simulated: bool, bom: bool = False) -> str:
    """A row for each draft, a column for each field its workflow gives it; in `content` a person's text comes first.

    `thread` has a column when a draft was split into one.
    """
    split = any(document["fields"].get("thread") for document in documents)
    fields = [*names, *(name for name in ["content", *(["thread"] if split else [])] if name not in names)]
    written = io.StringIO(newline="")
    rows = csv.writer(written, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    rows.writerow(["conceptNumber", "status", *fields, "flags", "simulated", "createdAt", "editedAt"])
    for document in documents:
        own = [_field(document, name) for name in fields]
        times = [moment.isoformat() if (moment := document.get(name)) else "" for name in ("createdAt", "editedAt")]
        about = [document.get("flags", []), simulated]
        rows.writerow([document["conceptNumber"], document["status"], *map(cell, [*own, *about]), *times])
    return f"{BOM if bom else ''}{written.getvalue()}"


def _field(document: Document, name: str) -> object:
    if name == "content":
        return text_of(document)
    return None if name == "thread" and is_edited(document) else document["fields"].get(name)


def cell(value: object) -> str:
    """Any JSON as the text of one cell; one that would be run as a formula begins with an apostrophe."""
    text = plain(_text(value))
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if "url" in fields:
            return " | ".join(_text(fields[name]) for name in _SOURCE if fields.get(name))
        return "; ".join(f"{name}: {_text(inner)}" for name, inner in fields.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        values = cast("Sequence[object]", value)
        apart = "\n" if any(isinstance(inner, Mapping) or len(str(inner)) > 40 for inner in values) else " "
        return apart.join(_text(inner) for inner in values)
    return str(value)
