"""The drafts of a session, and a person's changes to them."""

from typing import Annotated

from fastapi import APIRouter, Path

from ekiden.domain.ids import SessionId
from ekiden.store.database import Document
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.models.parts import DraftAnswer, DraftList
from ekiden_gateway.models.requests import EditDraft
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import TOO_LARGE, UNKNOWN_DRAFT, UNKNOWN_SESSION, Problem, documented
from ekiden_gateway.views import drafts as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["drafts"])


@router.get(
    "/{sessionId}/drafts", operation_id="listDrafts", response_model=DraftList, responses=documented(UNKNOWN_SESSION)
)
async def all_drafts(session: Located, parts: UsedParts) -> DraftList:
    """List the drafts; there are none before the session has completed."""
    found = await parts.drafts.of_session(session.id)
    return views.drafts(session, found, simulated=await _simulated(parts, session.id))


@router.patch(
    "/{sessionId}/drafts/{conceptNumber}",
    operation_id="editDraft",
    response_model=DraftAnswer,
    responses=documented(UNKNOWN_SESSION, UNKNOWN_DRAFT, TOO_LARGE),
)
async def edit_draft(
    session: Located,
    parts: UsedParts,
    number: Annotated[int, Path(alias="conceptNumber", ge=1, le=100)],
    asked: EditDraft,
) -> DraftAnswer:
    """Change the text or the status of a draft; what the session wrote stays beside it."""
    found = [draft for draft in await parts.drafts.of_session(session.id) if draft["conceptNumber"] == number]
    changed = (
        await parts.drafts.edit(found[0]["_id"], _changes(asked, found[0]), parts.database.clock.now())
        if found
        else None
    )
    if changed is None:
        raise Problem(UNKNOWN_DRAFT, f"The session {session.id} has no draft {number}.")
    return views.draft(changed, simulated=await _simulated(parts, session.id))


def _changes(asked: EditDraft, draft: Document) -> dict[str, object]:
    changes: dict[str, object] = {}
    if "edited_content" in asked.model_fields_set:
        changes["editedContent"] = asked.edited_content
        if asked.edited_content is not None and draft["status"] == "DRAFT":
            changes["status"] = "EDITED"
    if asked.status is not None:
        changes["status"] = asked.status
    return changes


async def _simulated(parts: Parts, session_id: SessionId) -> bool:
    return await parts.tasks.any_simulated(session_id)
