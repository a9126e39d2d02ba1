"""Lists, the newest first: by a time and then by id, page by page."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo import DESCENDING

from ekiden.store.database import Collection, Document, away

Place = tuple[datetime, str]
"""Where a page ended: the time and the id of its last item."""


async def page(
    collection: Collection,
    query: Mapping[str, object],
    behind: Place | None,
    limit: int,
    *,
    by: str = "createdAt",
    hidden: Sequence[str] = (),
) -> list[Document]:
    """At most `limit` of those that fit, from behind a place, without their `hidden` fields. Raises Unreachable.

    What comes in newer while somebody turns the pages moves nothing on those that follow.
    """
    if behind is not None:
        moment, last = behind
        query = {"$and": [query, {"$or": [{by: {"$lt": moment}}, {by: moment, "_id": {"$lt": last}}]}]}
    newest_first = [(by, DESCENDING), ("_id", DESCENDING)]
    shown = dict.fromkeys(hidden, 0) or None  # the driver takes an empty one for: the id alone
    with away():
        return await collection.find(query, shown).sort(newest_first).limit(limit).to_list()
