"""Indexes of another version, older or newer, beside our own: nobody keeps anybody from starting."""

import asyncio

from pymongo import ASCENDING, IndexModel

from ekiden.store.database import Database
from ekiden.store.schema import INDEXES, RETIRED, ensure_schema

OUTSTANDING = IndexModel(
    [("provider", ASCENDING), ("status", ASCENDING)],
    name="outstanding",
    partialFilterExpression={"status": {"$in": ["QUEUED", "PROCESSING", "SUBMITTED"]}},
)
"""As the older version makes it."""


async def _names(database: Database) -> set[str]:
    return set(await database.journaled("tasks").index_information())


async def test_a_retired_index_goes_however_many_start_at_once(database: Database) -> None:
    tasks = database.journaled("tasks")
    wanted = {str(index.document["name"]) for index in INDEXES["tasks"]} | {"_id_", "a_person_made_it"}
    for _ in range(4):  # not every time are two of them so close that the second finds it gone
        await tasks.create_indexes([OUTSTANDING, IndexModel([("note", ASCENDING)], name="a_person_made_it")])

        await asyncio.gather(*(ensure_schema(database) for _ in range(12)))

        assert await _names(database) == wanted


async def test_who_goes_back_to_the_older_version_finds_what_it_needs(database: Database) -> None:
    await ensure_schema(database)

    await database.journaled("tasks").create_indexes([*INDEXES["tasks"], OUTSTANDING])

    assert "outstanding" in await _names(database)


def test_no_retired_name_is_given_to_another_index() -> None:
    """Under its old name a new definition would keep an older version from starting, and this one beside it."""
    named = {collection: {str(index.document["name"]) for index in indexes} for collection, indexes in INDEXES.items()}

    assert not [name for collection, names in RETIRED.items() for name in names & named[collection]]
