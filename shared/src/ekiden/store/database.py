"""The connection to MongoDB: one client a process, deadlines on everything, two durabilities by name."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any, TypeVar

from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure, ExecutionTimeout, NetworkTimeout, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from ekiden.clock import DatabaseClock
from ekiden.errors import Unreachable
from ekiden.metrics import UNREACHABLE
from ekiden.store.watch import CommandWatch
from ekiden.turn import Turn

Document = dict[str, Any]
Collection = AsyncCollection[Document]
T = TypeVar("T")

TIMEOUT_MS = 10_000
APP_NAME = "ekiden"
JOURNALED = WriteConcern(w="majority", j=True)
"""The truth, and the permission to spend: on disk with a majority before we go on."""
QUICK = WriteConcern(w=1, j=False)
"""What may vanish in the last 100 ms before a kill: at worst a wake-up, or a counted resend."""

_UNAUTHORIZED = 13
_AWAY = (ConnectionFailure, NetworkTimeout, ExecutionTimeout)
_AWAY_CODES = frozenset({50, 64, 89, 91, 189, 262, 10107, 11600, 11602, 13435, 13436, 14031})
"""Server answers that mean «not now»: time limits, shutting or stepping down, disk full (mongo `error_codes.yml`)."""


class Database:
    """The collections of one database, each to be had with the durability a write needs."""

    def __init__(self, url: str, name: str, *, timeout_ms: int = TIMEOUT_MS, app_name: str = APP_NAME) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            timeoutMS=timeout_ms,
            serverSelectionTimeoutMS=timeout_ms,
            tz_aware=True,
            retryWrites=True,
            appname=app_name,
            heartbeatFrequencyMS=1000,
            event_listeners=[CommandWatch()],
        )
        self._database = self._client.get_database(name, read_preference=ReadPreference.PRIMARY)
        self.clock = DatabaseClock()
        self.writing, self.reading = Turn(), Turn(2)

    def journaled(self, collection: str) -> Collection:
        return self._database.get_collection(collection, write_concern=JOURNALED, read_concern=ReadConcern("local"))

    def quick(self, collection: str) -> Collection:
        return self._database.get_collection(collection, write_concern=QUICK, read_concern=ReadConcern("local"))

    async def as_one(self, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Do all that is written in the session or nothing of it, journaled. Raises Unreachable.

        Done again from the beginning when somebody else writes one of these documents at the same time. For what is
        rare: sessions and tasks need no transaction.
        """
        with away():
            async with self._client.start_session() as session:
                return await session.with_transaction(work, write_concern=JOURNALED)

    async def command(self, name: str) -> Mapping[str, Any]:
        with away():
            return await self._database.command(name)

    async def takes_writes(self) -> bool:
        """Whether there is a primary, as a member that answers says. Raises Unreachable."""
        with away():
            hello = await self._database.command("hello", read_preference=ReadPreference.PRIMARY_PREFERRED)
        return bool(hello.get("isWritablePrimary"))

    async def connected(self, app_name: str = APP_NAME) -> list[str]:
        """The addresses from which processes that call themselves so are connected, idle ones too. Raises Unreachable.

        Of other users' connections it knows only with the right to `inprog`; without logins there are no others.
        """
        everything = {"allUsers": True, "idleConnections": True, "idleSessions": False}
        named = [{"$match": {"appName": app_name, "client": {"$exists": True}}}, {"$project": {"client": 1}}]
        with away():
            try:
                found = await self._client.admin.aggregate([{"$currentOp": everything}, *named])
            except OperationFailure as error:
                if error.code != _UNAUTHORIZED:
                    raise
                found = await self._client.admin.aggregate([{"$currentOp": everything | {"allUsers": False}}, *named])
            return sorted({str(row["client"]) async for row in found})

    async def synchronise_clock(self) -> None:
        """Ask the database what time it is. Raises Unreachable."""
        asked = self.clock.monotonic()
        answer = await self.command("hello")
        moment = answer["localTime"].replace(tzinfo=UTC)  # a command's answer ignores the client's tz_aware
        self.clock.set(moment, asked, self.clock.monotonic())

    async def close(self) -> None:
        await self._client.close()


@contextmanager
def away() -> Generator[None]:
    """Turn the driver's ways of saying that the database does not answer into Unreachable."""
    try:
        yield
    except _AWAY as error:
        raise _unreachable(type(error).__name__) from error
    except OperationFailure as error:
        if error.code in _AWAY_CODES or error.timeout:
            raise _unreachable(error.code) from error
        raise
    except PyMongoError as error:
        if error.timeout:
            raise _unreachable(type(error).__name__) from error
        raise


def _unreachable(why: object) -> Unreachable:
    UNREACHABLE.labels(server="database").inc()
    return Unreachable(f"the database does not answer: {why}")
