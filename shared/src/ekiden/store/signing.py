"""Keys for what we sign and read again ourselves. Whoever needs one first makes it; all processes share it."""

import secrets

from ekiden.store.database import Database, away

KEY_BYTES = 32


class SigningKeys:
    def __init__(self, database: Database) -> None:
        self._keys = database.journaled("signing_keys")
        self._known: dict[str, str] = {}

    async def key(self, purpose: str) -> str:
        """The key for a purpose. Without its document everything signed before is void. Raises Unreachable."""
        if purpose not in self._known:
            new = {"$setOnInsert": {"key": secrets.token_urlsafe(KEY_BYTES)}}
            with away():
                await self._keys.update_one({"_id": purpose}, new, upsert=True)
                found = await self._keys.find_one({"_id": purpose}) or {}
            self._known[purpose] = found["key"]
        return self._known[purpose]
