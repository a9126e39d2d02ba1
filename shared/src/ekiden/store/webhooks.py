"""The webhooks: the gateway makes and edits them, the orchestrators note how their receivers do."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ekiden.domain.session import Session
from ekiden.store import created, lists
from ekiden.store.database import Database, Document, away
from ekiden.store.schema import BEGINNING_OF_TIME
from ekiden.store.sessions import Idempotency
from ekiden.webhooks.endpoint import LOOKED_AT_EVERY, Secret, Webhook, of_session
from ekiden.webhooks.events import EventKind
from ekiden.webhooks.signature import new_secret

_HEARING: Mapping[str, object] = {"disabledAt": None}
_EVER: Mapping[str, object] = {"$gt": BEGINNING_OF_TIME}
_MARK = "webhooks"


class WebhookStore:
    """All writes are journaled. The secrets are kept as they are: whoever signs must know them."""

    def __init__(self, database: Database) -> None:
        self._webhooks = database.journaled("webhooks")
        self._marks = database.journaled("marks")

    async def create(self, webhook: Webhook, known_as: Idempotency | None = None) -> bool:
        """Store a new one. False when there is one of its id, or of its owner and idempotency key, already."""
        try:
            with away():
                await self._webhooks.insert_one(_to_document(webhook) | created.noted(known_as))
        except DuplicateKeyError:
            return False
        return True

    async def listen(self, session: Session) -> None:
        """See to it that the address a session names is a webhook, before anything happens to the session."""
        if session.webhook_url is None:
            return
        named = of_session(session.owner, session.webhook_url)
        lately = {"namedAt": {"$gt": session.created_at - LOOKED_AT_EVERY / 2}}
        with away():
            if await self._webhooks.find_one({"_id": named, **lately}, {"_id": 1}) is not None:
                return
        webhook = Webhook(
            id=named,
            owner=session.owner,
            url=session.webhook_url,
            host=str(urlsplit(session.webhook_url).hostname),
            created_at=session.created_at,
            hears_since=session.created_at,
            secrets=(Secret(new_secret()),),
            session_only=True,
        )
        update = {"$setOnInsert": _to_document(webhook), "$max": {"namedAt": session.created_at}}
        with away(), suppress(DuplicateKeyError):  # somebody else has made it in this moment
            await self._webhooks.update_one({"_id": named}, update, upsert=True)

    async def created_under(self, owner: str, key: str) -> tuple[Webhook, Idempotency] | None:
        """The webhook that an owner's request of this idempotency key created."""
        found = await created.created_under(self._webhooks, {"owner": owner}, key)
        return (_from_document(found[0]), found[1]) if found else None

    async def load(self, webhook_id: str) -> Webhook | None:
        with away():
            found = await self._webhooks.find_one({"_id": webhook_id})
        return _from_document(found) if found else None

    async def count(self, owner: str) -> int:
        """How many an owner has, those of sessions aside."""
        with away():
            return await self._webhooks.count_documents({"owner": owner, "sessionOnly": False})

    async def addresses(self, owner: str, most: int) -> int:
        """How many addresses an owner's sessions name, counted up to `most`."""
        with away():
            return await self._webhooks.count_documents({"owner": owner, "namedAt": _EVER}, limit=most)

    async def page(self, owner: str, behind: lists.Place | None, limit: int) -> list[Webhook]:
        """An owner's, newest first."""
        return [_from_document(row) for row in await lists.page(self._webhooks, {"owner": owner}, behind, limit)]

    async def edit(self, before: Webhook, after: Webhook) -> Webhook | None:
        """Write a person's change. None when somebody else has changed it since, or it is gone."""
        old, new = _to_document(before), _to_document(replace(after, revision=before.revision + 1))
        update = {name: value for name, value in new.items() if value != old[name]}
        with away():
            found = await self._webhooks.find_one_and_update(
                {"_id": before.id, "revision": before.revision},
                {"$set": update},
                return_document=ReturnDocument.AFTER,
            )
        return _from_document(found) if found else None

    async def delete(self, webhook_id: str) -> bool:
        with away():
            return (await self._webhooks.delete_one({"_id": webhook_id})).deleted_count == 1

    # ── for the orchestrators ────────────────────────────────────────────────────────────────────────────────

    async def anybody_hears(self) -> bool:
        with away():
            return await self._webhooks.find_one(_HEARING, {"_id": 1}) is not None

    async def owners(self) -> list[str]:
        """Those who hear of all of their sessions."""
        with away():
            return await self._webhooks.distinct("owner", {"sessionOnly": False, **_HEARING})

    async def hearing(self, owners: Collection[str], ids: Collection[str]) -> list[Webhook]:
        """What hears of all sessions of these owners, and those of these ids; no disabled one."""
        general: Document = {"owner": {"$in": list(owners)}, "sessionOnly": False}
        query: Document = {"$or": [general, {"_id": {"$in": list(ids)}}], **_HEARING}
        with away():
            return [_from_document(found) async for found in self._webhooks.find(query)]

    async def note_failure(self, webhook_id: str, now: datetime) -> None:
        """Note since when nothing arrives, if that is not noted yet."""
        with away():
            await self._webhooks.update_one({"_id": webhook_id, "failingSince": None}, {"$set": {"failingSince": now}})

    async def note_success(self, webhook_id: str) -> None:
        with away():
            await self._webhooks.update_one({"_id": webhook_id}, {"$set": {"failingSince": None}})

    async def disable(self, webhook_id: str, why: str, now: datetime) -> bool:
        """Send nothing there any more; say whether this call disabled it."""
        update = {"$set": {"disabledAt": now, "disabledBecause": why}, "$inc": {"revision": 1}}
        with away():
            return (await self._webhooks.update_one({"_id": webhook_id, **_HEARING}, update)).modified_count == 1

    async def mark(self) -> datetime | None:
        """Up to when what happened has been made into deliveries, whoever did it."""
        with away():
            found = await self._marks.find_one({"_id": _MARK})
        return found["at"] if found else None

    async def set_mark(self, moment: datetime) -> None:
        """Note that all up to a moment is done; a later note stays."""
        with away():
            await self._marks.update_one({"_id": _MARK}, {"$max": {"at": moment}}, upsert=True)


def _to_document(webhook: Webhook) -> Document:
    return {
        "_id": webhook.id,
        "owner": webhook.owner,
        "url": webhook.url,
        "host": webhook.host,
        "events": sorted(webhook.events) if webhook.events is not None else None,
        "secrets": [{"text": one.text, "until": one.until, "key": one.known_as} for one in webhook.secrets],
        "sessionOnly": webhook.session_only,
        "createdAt": webhook.created_at,
        "hearsSince": webhook.hears_since,
        "failingSince": webhook.failing_since,
        "disabledAt": webhook.disabled_at,
        "disabledBecause": webhook.disabled_because,
        "revision": webhook.revision,
    }


def _from_document(document: Mapping[str, Any]) -> Webhook:
    chosen = document["events"]
    return Webhook(
        id=document["_id"],
        owner=document["owner"],
        url=document["url"],
        host=document["host"],
        events=frozenset(EventKind(kind) for kind in chosen) if chosen is not None else None,
        secrets=tuple(Secret(one["text"], one["until"], one.get("key", "")) for one in document["secrets"]),
        session_only=document["sessionOnly"],
        created_at=document["createdAt"],
        hears_since=document["hearsSince"],
        failing_since=document.get("failingSince"),
        disabled_at=document.get("disabledAt"),
        disabled_because=document.get("disabledBecause", ""),
        revision=document["revision"],
    )
