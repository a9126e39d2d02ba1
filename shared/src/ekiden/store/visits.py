"""Visits to the web page that were ended: signing out is remembered until the visit would have ended by itself."""

from ekiden.store.database import Database, away


class EndedVisits:
    """Both methods raise Unreachable. What is ended is journaled: nobody comes in again with it."""

    def __init__(self, database: Database) -> None:
        self._ended = database.journaled("ended_visits")

    async def add(self, visit: str) -> None:
        """End a visit; doing so twice is once."""
        with away():
            await self._ended.update_one({"_id": visit}, {"$currentDate": {"at": True}}, upsert=True)

    async def has(self, visit: str) -> bool:
        with away():
            return await self._ended.find_one({"_id": visit}, {"_id": 1}) is not None
