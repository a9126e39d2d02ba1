"""The drafts: created once under ids of their own, then a person's to edit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from ekiden.domain.ids import SessionId
from ekiden.store.database import Database, Document, away
from ekiden.store.inserts import Inserts
from ekiden.workflow.drafts import Draft


class DraftStore:
    def __init__(self, database: Database) -> None:
        self._drafts = database.journaled("drafts")
        self._insert = Inserts(self._drafts, database.writing)

    async def create(self, drafts: Sequence[Draft], now: datetime, *, simulated: bool) -> None:
        """Store drafts; those that are there already keep what a person made of them.

        `simulated` marks those that rest on an answer of the simulator.
        """
        await self._insert.all([_document(draft, now, simulated) for draft in drafts])

    async def of_session(self, session_id: SessionId) -> list[Document]:
        """The newest generation's drafts, in the order of their concepts."""
        with away():
            found = await self._drafts.find({"session": session_id}).sort("conceptNumber").to_list()
        newest = max((draft["generation"] for draft in found), default=0)
        return [draft for draft in found if draft["generation"] == newest]

    async def edit(self, draft_id: str, changes: Mapping[str, Any], now: datetime, revision: int) -> Document | None:
        """Change a draft as it was at a revision. None when it is another by now, or gone."""
        seen = revision or {"$in": [0, None]}  # it has none before its first change
        update = {"$set": {**changes, "editedAt": now, "revision": revision + 1}}
        with away():
            return await self._drafts.find_one_and_update(
                {"_id": draft_id, "revision": seen}, update, return_document=ReturnDocument.AFTER
            )


def _document(draft: Draft, now: datetime, simulated: bool) -> Document:
    generation = int(draft.id.rsplit(".g", 1)[1].split(".")[0])
    return {
        "_id": draft.id,
        "session": draft.session,
        "generation": generation,
        "conceptNumber": draft.concept_number,
        "fields": dict(draft.fields),
        "flags": list(draft.flags),
        "status": "DRAFT",
        "editedContent": None,
        "simulated": simulated,
        "createdAt": now,
    }
