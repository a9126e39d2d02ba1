"""Whether the database really works: one answer for the gateway and for every service behind it."""

import asyncio

from ekiden.errors import Unreachable
from ekiden.store.database import Database

PROBE_SECONDS = 2.0


async def unready(database: Database) -> list[str]:
    """What does not work, one sentence each; known after `PROBE_SECONDS`, also of a database that hangs."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            writable = await database.takes_writes()
    except TimeoutError:
        return ["the database does not answer in time"]
    except Unreachable as error:
        return [str(error)]
    return [] if writable else ["the database takes no writes"]
