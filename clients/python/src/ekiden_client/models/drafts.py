"""What a session gives. Which texts a draft has, its workflow says; those of `viral-content` are named here."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from ekiden_client.models.document import Document, Tagged
from ekiden_client.models.words import DraftStatusWord, StatusWord


def _or_empty(value: object) -> object:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_or_empty)]
"""A text that another workflow may leave out or leave empty."""


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


class Draft(Document):
    """One draft; `content` is what the session wrote, `edited_content` what a person made of it.

    `thread` holds the posts of a text that is too long for one; `flags` what the checks found, as `kind:field`.
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
    thread: tuple[str, ...] | None = None
    hashtags: tuple[str, ...] | None = None
    news_source: Text = ""
    source_url: Text = ""
    sources: tuple[Source, ...] | None = None
    kpis: tuple[Kpi, ...] | None = None
    risk_assessment: Text = ""
    optimization_tips: tuple[str, ...] | None = None

    @property
    def text(self) -> str:
        """What is to be posted: a person's text where there is one."""
        return self.edited_content or self.content


class TaggedDraft(Draft, Tagged):
    """A draft as it was seen."""


class Drafts(Document):
    session_id: str
    status: StatusWord
    drafts: tuple[Draft, ...] = ()
    total_drafts: int = 0
    created_at: datetime | None = None
    completed_at: datetime | None = None
