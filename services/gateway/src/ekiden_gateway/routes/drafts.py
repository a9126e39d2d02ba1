"""The drafts of a session, and a person's changes to them."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from ekiden.domain.ids import SessionId
from ekiden.store.database import Document
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.conditional import UNCHANGED, IfMatch, IfNoneMatch, etag, must_match, names, tagged
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import CHANGED_MEANWHILE, UNKNOWN_DRAFT, UNKNOWN_SESSION
from ekiden_gateway.models.parts import DraftAnswer, DraftList, DraftStatus
from ekiden_gateway.models.requests import EditDraft
from ekiden_gateway.page.report import drafts as written
from ekiden_gateway.page.report.sheet import sheet
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes.reports import CSV, MARKDOWN, as_text, file, of_session
from ekiden_gateway.views import drafts as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["drafts"])
Number = Annotated[int, Path(alias="conceptNumber", ge=1, le=100, description="As the list has it", examples=[1])]


class DraftFormat(StrEnum):
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"


@router.get(
    "/{sessionId}/drafts",
    operation_id="listDrafts",
    response_model=DraftList,
    responses=documented(UNKNOWN_SESSION) | as_text(MARKDOWN, CSV),
)
async def all_drafts(
    session: Located,
    parts: UsedParts,
    wanted: Annotated[DraftFormat, Query(alias="format", description="What to answer with")] = DraftFormat.JSON,
    bom: Annotated[bool, Query(description="CSV that Excel reads as UTF-8: begins with a byte order mark")] = False,
) -> DraftList | Response:
    """List the drafts; there are none before the session has completed.

    Where a person has edited a draft, Markdown and CSV have that text. A cell of CSV that a spreadsheet would take for
    a formula begins with an apostrophe.
    """
    if wanted is DraftFormat.JSON:
        found = await parts.drafts.of_session(session.id)
        return views.drafts(session, found, simulated=await parts.tasks.any_simulated(session.id))
    made = await of_session(parts, session)
    if wanted is DraftFormat.MARKDOWN:
        text = written.drafts(made.title, made.drafts, made.t, simulated=made.simulated)
        return file(text, MARKDOWN, f"{session.id}-drafts.md")
    names = list(made.workflow.definition.drafts.fields)
    rows = sheet(made.drafts, names, simulated=made.simulated, bom=bom)
    return file(rows, CSV, f"{session.id}-drafts.csv")


@router.get(
    "/{sessionId}/drafts/{conceptNumber}",
    operation_id="getDraft",
    response_model=DraftAnswer,
    responses=documented(UNKNOWN_SESSION, UNKNOWN_DRAFT) | UNCHANGED,
)
async def show_draft(
    session: Located, parts: UsedParts, number: Number, response: Response, seen: IfNoneMatch = None
) -> DraftAnswer | Response:
    """Show one draft. Its `ETag`, given as `If-Match`, keeps a change from overwriting somebody else's."""
    found = await _known(parts, session.id, number)
    tag = etag(views.state(found))
    if names(seen, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return await _answer(parts, session.id, found, response)


@router.patch(
    "/{sessionId}/drafts/{conceptNumber}",
    operation_id="editDraft",
    response_model=DraftAnswer,
    responses=documented(UNKNOWN_SESSION, UNKNOWN_DRAFT, CHANGED_MEANWHILE) | tagged(),
)
async def edit_draft(
    session: Located, parts: UsedParts, number: Number, asked: EditDraft, response: Response, seen: IfMatch = None
) -> DraftAnswer:
    """Change the text or the status of a draft; what the session wrote stays beside it. Repeating it changes nothing.

    Without `If-Match` the last one who writes wins, field by field.
    """
    while True:
        found = await _known(parts, session.id, number)
        must_match(seen, etag(views.state(found)))
        changes = _changes(asked, found)
        if all(found.get(name) == value for name, value in changes.items()):
            return await _answer(parts, session.id, found, response)
        now, revision = parts.database.clock.now(), found.get("revision", 0)
        if changed := await parts.drafts.edit(found["_id"], changes, now, revision):
            return await _answer(parts, session.id, changed, response)


def _changes(asked: EditDraft, draft: Document) -> dict[str, object]:
    changes: dict[str, object] = {}
    if "edited_content" in asked.model_fields_set:
        changes["editedContent"] = asked.edited_content
        if asked.edited_content is not None and draft["status"] == DraftStatus.DRAFT:
            changes["status"] = DraftStatus.EDITED.value
    if "status" in asked.model_fields_set:
        changes["status"] = asked.status.value
    return changes


async def _known(parts: Parts, session_id: SessionId, number: int) -> Document:
    found = [draft for draft in await parts.drafts.of_session(session_id) if draft["conceptNumber"] == number]
    if not found:
        raise Problem(UNKNOWN_DRAFT, f"The session {session_id} has no draft {number}.")
    return found[0]


async def _answer(parts: Parts, session_id: SessionId, draft: Document, response: Response) -> DraftAnswer:
    response.headers["ETag"] = etag(views.state(draft))
    return views.draft(draft, simulated=await parts.tasks.any_simulated(session_id))
