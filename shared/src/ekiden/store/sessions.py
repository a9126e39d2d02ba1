"""The sessions: the only path to write one is `SessionStore.apply`, and it writes only what `decide` returned."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from secrets import randbits
from typing import Any

import bson
import structlog
from pymongo.read_concern import ReadConcern

from ekiden import tracing
from ekiden.domain.altered import altered
from ekiden.domain.ids import SessionId
from ekiden.domain.messages import Message
from ekiden.domain.progress import Decision
from ekiden.domain.session import OVER, Replay, Session, Status, WaitingReason
from ekiden.errors import DocumentTooLarge, KeyReused
from ekiden.store import lists
from ekiden.store.database import Database, Document, away
from ekiden.store.group import Finds, Updates
from ekiden.store.inserts import Inserts
from ekiden.store.schema import BEGINNING_OF_TIME, COUNTED_BY
from ekiden.store.session_document import changes, from_document, to_document

log = structlog.get_logger()
LARGEST_BYTES = 8 * 1024 * 1024
"""Half of what MongoDB allows a document, so that there is room to say what went wrong."""
REPLAYS = 20
"""Replays of one session whose answers are looked through for another one."""

_MOVE_BITS = 63
"""What BSON has as a whole number."""
_RETRIED = {"_id": 0, "nextRetryAt": 1}
_GATE_DUE = {"_id": 0, "gate.dueAt": 1}
MOVING = [Status.THINKING, Status.EXECUTING, Status.INTEGRATING, Status.WAITING]


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What a client called its request, and what the request said, so that the same one is not done twice."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a session is, and how far it has come."""

    owner: str
    version: int
    status: Status


@dataclass(frozen=True, slots=True)
class Counted:
    """How many sessions there are, and how often they have moved in all: whatever moves one of them changes this."""

    sessions: int
    moves: int


class ActorKind(StrEnum):
    """A key by its owner's id, somebody with a gate's link by the name he gave, or nobody: a date that had come."""

    KEY = "key"
    LINK = "link"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who said something to a session."""

    kind: ActorKind
    name: str = ""


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._sessions = database.journaled("sessions")
        self._settled = self._sessions.with_options(read_concern=ReadConcern("majority"))
        self._insert = Inserts(self._sessions, database.writing)
        self._update = Updates(self._sessions, database.writing)
        self._find = Finds(self._sessions, database.reading, {"history": 0})
        self._find_move = Finds(self._sessions, database.reading, {"version": 1, "moveId": 1})

    async def create(self, session: Session, idempotency: Idempotency | None = None) -> bool:
        """Store a new session. False when one of that id, or of that owner and idempotency key, is there already."""
        return await self._insert(_new(session, session, [], idempotency) | {"movedAt": session.created_at})

    async def begin(
        self,
        session: Session,
        decision: Decision,
        message: Message,
        idempotency: Idempotency | None = None,
        by: Actor | None = None,
    ) -> Session | None:
        """Store a new session as a first decision leaves it: both history entries in one write.

        None when one of that id, or of that owner and idempotency key, is there already: then nothing is written.
        """
        after = altered(decision.session, version=session.version + 1, move_id=randbits(_MOVE_BITS))
        document = _new(session, after, [_moved(after, decision, message, None, by)], idempotency)
        return after if await self._insert(document, stamped="movedAt") else None

    async def load(self, session_id: SessionId) -> Session | None:
        found = await self._find(session_id)
        return from_document(found) if found else None

    async def loaded(self, session_ids: Sequence[SessionId]) -> list[Session]:
        """Those of these sessions that are there and can be read, in any order."""
        return [session async for session in self._stream({"_id": {"$in": list(session_ids)}})]

    async def said_before(self, session_id: SessionId, idempotency: Idempotency) -> bool:
        """Whether a request of this key has moved the session already. Raises KeyReused when it was another one."""
        of_key = {"history": {"$elemMatch": {"key": idempotency.key}}}
        with away():
            found = await self._sessions.find_one({"_id": session_id}, {"_id": 1} | of_key)
        entries = (found or {}).get("history", [])
        if entries and entries[0]["fingerprint"] != idempotency.fingerprint:
            raise KeyReused(f"This Idempotency-Key was given to {session_id} with another request.")
        return bool(entries)

    async def accepted_before(self, owner: str, key: str, session_id: SessionId | None) -> bool:
        """Whether an owner's request of this idempotency key was carried out: said to a session, or made one of it.

        Without `session_id`: whether it made any.
        """
        made: Document = {"owner": owner, "idempotency.key": {"$eq": key, "$type": "string"}}
        options = [made]
        if session_id is not None:
            options = [made | {"parent": session_id}, {"_id": session_id, "owner": owner, "history.key": key}]
        with away():
            return await self._sessions.find_one({"$or": options}, {"_id": 1}) is not None

    async def apply(
        self,
        before: Session,
        decision: Decision,
        message: Message,
        known_as: Idempotency | None = None,
        by: Actor | None = None,
    ) -> Session | None:
        """Write a decision by compare-and-set on the move it was made after; the history entry goes with it.

        `known_as` is written into that entry, so that `said_before` finds it, and so is `by`: whose word it was.
        None when nothing matched: somebody else moved the session, or our own earlier reply was lost. Load
        again and decide again. Raises DocumentTooLarge, Unreachable.
        """
        after = altered(decision.session, version=before.version + 1, move_id=randbits(_MOVE_BITS))
        changed = changes(before, after)
        if place := tracing.here():
            changed["traceparent"] = place
        entry = _moved(after, decision, message, known_as, by)
        room = LARGEST_BYTES - len(bson.encode(changed)) - len(bson.encode(entry))
        with away():
            written = await self._update(
                _unmoved(before) | {"$expr": {"$lte": [{"$bsonSize": "$$ROOT"}, room]}},
                {"$set": changed, "$push": {"history": entry}, "$currentDate": {"movedAt": True}},
            )
        if written:
            return after
        if await self.is_unmoved(before):
            raise DocumentTooLarge(f"{before.id} would grow past {LARGEST_BYTES} bytes")
        return None

    async def is_unmoved(self, session: Session) -> bool:
        """Whether nobody has moved a session since, nor put another in its place: then it is as good as just loaded.

        Raises Unreachable.
        """
        found = await self._find_move(session.id)
        return found is not None and {"moveId": None} | found == _unmoved(session)

    async def traceparent(self, session_id: SessionId) -> str:
        """Where in a trace the session moved last; empty when it was not traced."""
        with away():
            found = await self._sessions.find_one({"_id": session_id}, {"traceparent": 1})
        return (found or {}).get("traceparent", "")

    async def document(self, session_id: SessionId) -> Document | None:
        """The whole document, history included, for those who show it."""
        with away():
            return await self._sessions.find_one({"_id": session_id})

    async def created_under(self, owner: str, key: str) -> tuple[SessionId, Idempotency] | None:
        """The session that an owner's request of this idempotency key created."""
        query = {"owner": owner, "idempotency.key": {"$eq": key, "$type": "string"}}  # as the partial index has it
        with away():
            found = await self._sessions.find_one(query, {"idempotency": 1})
        return (SessionId(found["_id"]), Idempotency(**found["idempotency"])) if found else None

    async def history(self, session_id: SessionId, after: int, *, settled: bool = False) -> list[Document] | None:
        """The history entries behind a version, oldest first. None when there is no such session.

        `settled` leaves out what a majority does not have yet: what is told of it need never be taken back.
        """
        news = {"$filter": {"input": "$history", "as": "entry", "cond": {"$gt": ["$$entry.version", after]}}}
        sessions = self._settled if settled else self._sessions
        with away():
            found = await sessions.find_one({"_id": session_id}, {"_id": 1, "history": news})
        return found["history"] if found else None

    async def standing(self, session_id: SessionId) -> Standing | None:
        """What those need to know who want no more of a session: it costs a tenth of loading it."""
        with away():
            found = await self._sessions.find_one({"_id": session_id}, {"owner": 1, "version": 1, "status": 1})
        return Standing(found["owner"], found["version"], Status(found["status"])) if found else None

    async def versions(self, session_ids: Sequence[SessionId]) -> dict[SessionId, int]:
        """The version of each of these sessions that is there."""
        with away():
            found = self._sessions.find({"_id": {"$in": list(session_ids)}}, {"version": 1})
            return {SessionId(row["_id"]): row["version"] async for row in found}

    async def counted(self, owners: Sequence[str]) -> dict[str, dict[Status, Counted]]:
        """How many sessions each owner has, by status; those that have none are left out."""
        by_status = {
            "_id": {"owner": "$owner", "status": "$status"},
            "sessions": {"$sum": 1},
            "moves": {"$sum": "$version"},
        }
        counted: dict[str, dict[Status, Counted]] = {}
        with away():
            pipeline = [{"$match": {"owner": {"$in": list(owners)}}}, {"$group": by_status}]
            async for row in await self._sessions.aggregate(pipeline, hint=COUNTED_BY):
                of_owner = counted.setdefault(row["_id"]["owner"], {})
                of_owner[Status(row["_id"]["status"])] = Counted(row["sessions"], row["moves"])
        return counted

    async def family(self, replay: Replay) -> list[SessionId]:
        """The sessions whose recorded answers a replay runs on; of the replays the newest."""
        with away():
            newest = self._sessions.find({"replay.root": replay.root}, {"_id": 1}).sort("createdAt", -1).limit(REPLAYS)
            found = [SessionId(row["_id"]) async for row in newest]
        return list(dict.fromkeys([replay.of, replay.root, *found]))

    async def page(self, filters: Mapping[str, Any], behind: lists.Place | None, limit: int) -> list[Document]:
        """Newest first, without results and history."""
        return await lists.page(self._sessions, filters, behind, limit, hidden=("history", "steps", "edited"))

    async def counts(self, filters: Mapping[str, Any]) -> dict[Status, int]:
        """How many of the sessions that the filters let through there are of each status; one of none is left out."""
        by_status = {"_id": "$status", "sessions": {"$sum": 1}}
        with away():
            rows = await self._sessions.aggregate([{"$match": dict(filters)}, {"$group": by_status}])
            return {Status(row["_id"]): row["sessions"] async for row in rows}

    async def moved_between(self, start: datetime, end: datetime) -> AsyncIterator[Session]:
        """The sessions that moved in a span of the database's time and can be read."""
        async for session in self._stream({"movedAt": {"$gte": start, "$lt": end}}):
            yield session

    async def told_between(
        self, start: datetime, end: datetime, owners: Sequence[str], since: datetime
    ) -> AsyncIterator[Document]:
        """Of sessions that moved in a span and that somebody hears of: owner, webhookUrl, and the history from `since`.

        Somebody hears of those of the owners, and of those that name an address.
        """
        heard = {"$or": [{"webhookUrl": {"$type": "string"}}, {"owner": {"$in": list(owners)}}]}
        news = {"$filter": {"input": "$history", "as": "entry", "cond": {"$gte": ["$$entry.at", since]}}}
        query = {"movedAt": {"$gte": start, "$lt": end}, **heard}
        with away():
            async for document in self._sessions.find(query, {"owner": 1, "webhookUrl": 1, "history": news}):
                yield document

    async def moving(self) -> list[SessionId]:
        """All sessions that are under way or wait, and those that ended with money still reserved."""
        held = {"reserved.task": {"$exists": True}}
        with away():
            found = self._sessions.find({"$or": [{"status": {"$in": MOVING}}, held]}, {"_id": 1})
            return [SessionId(row["_id"]) async for row in found]

    async def not_over(self) -> list[SessionId]:
        """All sessions that may still order something, by themselves or when a person lets them."""
        query = {"status": {"$nin": list(OVER)}}
        with away():
            return [SessionId(row["_id"]) async for row in self._sessions.find(query, {"_id": 1}).sort("_id")]

    async def retries_due(self, now: datetime) -> Sequence[SessionId]:
        with away():
            query = {"nextRetryAt": {"$gt": BEGINNING_OF_TIME, "$lte": now}}
            return [SessionId(row["_id"]) async for row in self._sessions.find(query, {"_id": 1}).limit(500)]

    async def next_retry(self, now: datetime) -> datetime | None:
        """When an automatic retry is due next, after `now`."""
        with away():
            found = await self._sessions.find_one({"nextRetryAt": {"$gt": now}}, _RETRIED, sort=[("nextRetryAt", 1)])
        return found["nextRetryAt"] if found else None

    async def gates_due(self, now: datetime) -> Sequence[SessionId]:
        """The sessions whose gate nobody has answered in time."""
        with away():
            found = self._sessions.find(_gates({"$gt": BEGINNING_OF_TIME, "$lte": now}), {"_id": 1}).limit(500)
            return [SessionId(row["_id"]) async for row in found]

    async def next_gate(self, now: datetime) -> datetime | None:
        """When a gate is answered by itself next, after `now`."""
        with away():
            found = await self._sessions.find_one(_gates({"$gt": now}), _GATE_DUE, sort=[("gate.dueAt", 1)])
        return found["gate"]["dueAt"] if found else None

    async def waiting(self) -> dict[str, tuple[int, datetime]]:
        """How many sessions wait, and since when the one that has waited longest, by reason."""
        by_reason = {"_id": "$waitingReason", "sessions": {"$sum": 1}, "since": {"$min": "$movedAt"}}
        with away():
            rows = await self._sessions.aggregate([{"$match": {"status": Status.WAITING}}, {"$group": by_reason}])
            return {row["_id"]: (row["sessions"], row["since"]) async for row in rows}

    async def _stream(self, query: Mapping[str, Any]) -> AsyncIterator[Session]:
        """Read many. One that cannot be read, because of a bug or of a newer version, keeps back no other."""
        with away():
            async for document in self._sessions.find(query, {"history": 0}, batch_size=200):
                try:
                    session = from_document(document)
                except Exception:
                    log.exception("session_not_read", session_id=document["_id"])
                else:
                    yield session


def _unmoved(session: Session) -> Document:
    """Its version alone would do, had no database ever been restored. Of what has no move id yet that is asked for."""
    return {"_id": session.id, "version": session.version, "moveId": session.move_id}


def _gates(due: Document) -> Document:
    return {"waitingReason": WaitingReason.APPROVAL.value, "gate.dueAt": due}


def _new(session: Session, stored: Session, moved: Sequence[Document], idempotency: Idempotency | None) -> Document:
    """The document of a new session: how it was made, and how it is `stored`."""
    created = {"type": "SessionCreated", "phase": None, "step": None, "detail": ""}
    made = _entry(session, "Create", [created], session.created_at) | {"budget": session.money.budget}
    document = to_document(stored) | {"history": [made, *moved]}
    if place := tracing.here():
        document["traceparent"] = place
    if idempotency is not None:
        document["idempotency"] = {"key": idempotency.key, "fingerprint": idempotency.fingerprint}
    return document


def _moved(
    after: Session, decision: Decision, message: Message, known_as: Idempotency | None, by: Actor | None
) -> Document:
    events = [{"type": e.type, "phase": e.phase, "step": e.step, "detail": e.detail} for e in decision.events]
    entry = _entry(after, type(message).__name__, events, message.at)
    if known_as is not None:
        entry |= {"key": known_as.key, "fingerprint": known_as.fingerprint}
    if by is not None:
        entry["by"] = {"kind": by.kind.value, "name": by.name}
    return entry


def _entry(session: Session, cause: str, events: list[Document], at: datetime) -> Document:
    """One line of a session's history, numbered by its version."""
    return {
        "version": session.version,
        "at": at,
        "cause": cause,
        "status": session.status.value,
        "waitingReason": session.waiting_reason.value if session.waiting_reason else None,
        "phase": session.position.phase if session.position else None,
        "step": session.position.step.value if session.position else None,
        "events": events,
    }
