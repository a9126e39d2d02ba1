"""Secrets of ours that all processes share: made once, at random, by whoever needs one first."""

import secrets

from pymongo import ReturnDocument

from ekiden.store.database import Database, away

SECRET_BYTES = 32


class SecretStore:
    """What is signed with one of them by any gateway, every gateway knows again."""

    def __init__(self, database: Database) -> None:
        self._secrets = database.journaled("secrets")
        self._known: dict[str, bytes] = {}

    async def get(self, name: str) -> bytes:
        """The secret of a name; asked for at the same time by many, all get the same. Raises Unreachable."""
        if name not in self._known:
            made = secrets.token_bytes(SECRET_BYTES)
            with away():
                found = await self._secrets.find_one_and_update(
                    {"_id": name}, {"$setOnInsert": {"value": made}}, upsert=True, return_document=ReturnDocument.AFTER
                )
            self._known[name] = bytes((found or {})["value"])
        return self._known[name]
