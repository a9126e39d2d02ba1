"""A session's report, and its drafts in the forms that people take away."""

import asyncio
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from ekiden.domain.session import Session
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.commands import workflow_of
from ekiden_gateway.documented import Responses, documented, header
from ekiden_gateway.kinds import UNKNOWN_SESSION
from ekiden_gateway.page.report import document
from ekiden_gateway.page.report.report import Report
from ekiden_gateway.parts import Parts
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["drafts"])
MARKDOWN, HTML, CSV = "text/markdown", "text/html", "text/csv"
_NAME = header("A name to keep it under; not with JSON", {"type": "string"}, required=False)


class ReportFormat(StrEnum):
    MARKDOWN = "markdown"
    HTML = "html"


def as_text(*media_types: str) -> Responses:
    """An answer in one of several kinds of text."""
    content = {name: {"schema": {"type": "string"}} for name in media_types}
    return {200: {"content": content, "headers": {"Content-Disposition": _NAME}}}


@router.get(
    "/{sessionId}/report",
    operation_id="getReport",
    response_class=Response,
    responses=documented(UNKNOWN_SESSION) | as_text(MARKDOWN, HTML),
)
async def report(
    session: Located,
    parts: UsedParts,
    wanted: Annotated[ReportFormat, Query(alias="format", description="Both say the same")] = ReportFormat.MARKDOWN,
) -> Response:
    """Tell how a session came to what it gave: plans, searches with sources and dates, decisions, drafts, cost, time.

    In the session's language. HTML is one file with its style, which loads nothing.
    """
    made = await of_session(parts, session)
    if wanted is ReportFormat.MARKDOWN:
        return file(made.markdown(), MARKDOWN, f"{session.id}.md")
    whole = document.html(made.markdown(), made.title, made.t.language)
    return file(whole, HTML, f"{session.id}.html", **document.policy())


async def of_session(parts: Parts, session: Session) -> Report:
    workflow, ledger, drafts = await asyncio.gather(
        workflow_of(parts, session), parts.tasks.of_session(session.id), parts.drafts.of_session(session.id)
    )
    return Report(session, workflow, ledger, drafts)


def file(text: str, media_type: str, name: str, **headers: str) -> Response:
    """A text that is shown where it can be, and kept under a name. Half a surrogate is no text."""
    named = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text.encode("utf-8", "replace"), media_type=f"{media_type}; charset=utf-8", headers=named | headers)
