"""Drafts in Markdown: the text to be posted as it is, and what else its workflow gave it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ekiden_gateway.page.languages import Words
from ekiden_gateway.page.rendering import clipped, label
from ekiden_gateway.page.report.markdown import fenced, inline
from ekiden_gateway.page.report.outline import field_name, outline

Document = Mapping[str, Any]


def drafts(title: str, documents: Sequence[Document], t: Words, *, simulated: bool) -> str:
    """All drafts of a session as one document."""
    lines = [f"# {inline(clipped(title, 500))}", ""]
    lines += [f"> **{t('session.simulated')}**", ""] if simulated else []
    for document in documents:
        lines += draft_lines(document, t, level=2)
    return "\n".join(lines).rstrip() + "\n"


def draft_lines(document: Document, t: Words, *, level: int) -> Iterator[str]:
    fields: Mapping[str, Any] = document["fields"]
    number = t("draft.number", n=document["conceptNumber"])
    title = f": {inline(clipped(str(fields['title']), 300))}" if fields.get("title") else ""
    yield from (f"{'#' * level} {number}{title}", "")
    if document["status"] != "DRAFT":
        status = t(f"draft.status.{document['status']}")
        yield from (f"*{status}*", "")
    for name in document.get("flags", []):
        yield from (f"> {flag(name, t)}", "")
    if text := text_of(document):
        yield from fenced(text)
    told = {"title", "content", *(["thread"] if is_edited(document) else [])}
    yield from outline({name: value for name, value in fields.items() if name not in told}, t)
    yield ""


def text_of(document: Document) -> str:
    """What is to be posted: a person's text where there is one."""
    return str(document["editedContent"] if is_edited(document) else document["fields"].get("content") or "")


def is_edited(document: Document) -> bool:
    """Whether a person's text stands in place of the model's, whose thread is then of a text that is not posted."""
    return document.get("editedContent") is not None


def flag(name: str, t: Words) -> str:
    """What a check found, as the page says it, with the field it found it in; else as the check called it."""
    kind, _, place = name.partition(":")
    said = next((t(key) for group in ("look", "done") if t.has(key := f"flag.{group}.{kind}")), None)
    told = said or inline(clipped(label(kind), 200))
    return f"{told} ({field_name(place, t)})" if place else told
