"""Drafts, with the fields their workflow gave them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiden.domain.session import Session, Status
from ekiden_gateway.models.parts import DraftAnswer, DraftList

Document = Mapping[str, Any]


def state(document: Document) -> str:
    """Names what `draft` shows."""
    return f"g{document['generation']}.{document.get('revision', 0)}"


def draft(document: Document, *, simulated: bool) -> DraftAnswer:
    own = {
        "conceptNumber": document["conceptNumber"],
        "status": document["status"],
        "editedContent": document.get("editedContent"),
        "revision": document.get("revision", 0),
        "flags": document.get("flags", []),
        "simulated": simulated,
        "createdAt": document["createdAt"],
        "editedAt": document.get("editedAt"),
    }
    return DraftAnswer.model_validate({**document["fields"], **own})


def drafts(session: Session, documents: Sequence[Document], *, simulated: bool) -> DraftList:
    """The newest drafts there are; a session that is under way again still has those of its last completion."""
    return DraftList(
        session_id=session.id,
        status=session.status,
        drafts=[draft(document, simulated=simulated) for document in documents],
        total_drafts=len(documents),
        created_at=session.created_at,
        completed_at=session.finished_at if session.status is Status.COMPLETED else None,
    )
