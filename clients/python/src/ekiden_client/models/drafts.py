"""What a session gives. Which texts a draft has, its workflow says; those of `viral-content` are named here."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator

from ekiden_client.models.document import Document, Tagged
from ekiden_client.models.words import DraftStatusWord, StatusWord


def _text(value: object) -> object:
    """One text, also of what another workflow made a list or an object."""
    match value:
        case None:
            return ""
        case list():
            return "\n".join(str(_text(item)) for item in cast("list[object]", value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value if isinstance(value, str) else str(value)


def _listed(value: object) -> object:
    """A list, also of what another workflow has only one of; None stays."""
    if value is None or isinstance(value, list | tuple):
        return cast("object", value)
    return [value]


def _named(field: str) -> Callable[[object], object]:
    """An object, also of what another workflow gives as a text: that is its `field`."""

    def named(value: object) -> object:
        if isinstance(value, dict | BaseModel):
            return cast("object", value)
        return {field: value}

    return named


Text = Annotated[str, BeforeValidator(_text)]
"""A text that another workflow may leave out or leave empty."""
Texts = Annotated[tuple[Text, ...] | None, BeforeValidator(_listed)]


class Source(Document):
    """A page that a search of the session returned, and the question that found it."""

    source_id: Text = ""
    title: Text = ""
    url: Text = ""
    date: Text = ""
    question: Text = ""


class Kpi(Document):
    name: Text = ""
    target: Text = ""


Sources = Annotated[tuple[Annotated[Source, BeforeValidator(_named("url"))], ...] | None, BeforeValidator(_listed)]
Kpis = Annotated[tuple[Annotated[Kpi, BeforeValidator(_named("name"))], ...] | None, BeforeValidator(_listed)]


class Draft(Document):
    """One draft; `content` is what the session wrote, `edited_content` what a person made of it.

    `thread` holds the posts of a text that is too long for one; `flags` what the checks found, as `kind:field`.
    What its workflow gives it beyond these stands in `further`, under the workflow's own names.
    """

    concept_number: int
    status: DraftStatusWord = ""
    revision: int = 0
    edited_content: str | None = None
    flags: tuple[str, ...] = ()
    simulated: bool = False
    created_at: datetime | None = None
    edited_at: datetime | None = None

    title: Text = ""
    hook: Text = ""
    angle: Text = ""
    format: Text = ""
    content: Text = ""
    visual_guide: Text = ""
    timing: Text = ""
    thread: Texts = None
    hashtags: Texts = None
    news_source: Text = ""
    source_url: Text = ""
    sources: Sources = None
    kpis: Kpis = None
    risk_assessment: Text = ""
    optimization_tips: Texts = None

    @property
    def text(self) -> str:
        """What is to be posted: a person's text where there is one."""
        return self.edited_content or self.content

    @property
    def further(self) -> Mapping[str, object]:
        return self.model_extra or {}


class TaggedDraft(Draft, Tagged):
    """A draft as it was seen."""


class Drafts(Document):
    session_id: str
    status: StatusWord
    drafts: tuple[Draft, ...] = ()
    total_drafts: int = 0
    created_at: datetime | None = None
    completed_at: datetime | None = None
