"""The connection to MongoDB: one client a process, deadlines on everything, two durabilities by name."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure, ExecutionTimeout, NetworkTimeout, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from ekiden.clock import DatabaseClock
from ekiden.errors import Unreachable

Document = dict[str, Any]
Collection = AsyncCollection[Document]

TIMEOUT_MS = 10_000
JOURNALED = WriteConcern(w="majority", j=True)
"""The truth, and the permission to spend: on disk with a majority before we go on."""
QUICK = WriteConcern(w=1, j=False)
"""What may vanish in the last 100 ms before a kill: at worst a wake-up, or a counted resend."""

_AWAY = (ConnectionFailure, NetworkTimeout, ExecutionTimeout)
_AWAY_CODES = frozenset({50, 64, 89, 91, 189, 262, 10107, 11600, 11602, 13435, 13436, 14031})
"""Server answers that mean «not now»: time limits, shutting or stepping down, disk full (mongo `error_codes.yml`)."""


class Database:
    """The collections of one database, each to be had with the durability a write needs."""

    def __init__(self, url: str, name: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            timeoutMS=timeout_ms,
            serverSelectionTimeoutMS=timeout_ms,
            tz_aware=True,
            retryWrites=True,
            appname="ekiden",
            heartbeatFrequencyMS=1000,
        )
        self._database = self._client.get_database(name, read_preference=ReadPreference.PRIMARY)
        self.clock = DatabaseClock()

    def journaled(self, collection: str) -> Collection:
        return self._database.get_collection(collection, write_concern=JOURNALED, read_concern=ReadConcern("local"))

    def quick(self, collection: str) -> Collection:
        return self._database.get_collection(collection, write_concern=QUICK, read_concern=ReadConcern("local"))

    async def command(self, name: str) -> Mapping[str, Any]:
        with away():
            return await self._database.command(name)

    async def takes_writes(self) -> bool:
        """Whether there is a primary, as a member that answers says. Raises Unreachable."""
        with away():
            hello = await self._database.command("hello", read_preference=ReadPreference.PRIMARY_PREFERRED)
        return bool(hello.get("isWritablePrimary"))

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
        raise Unreachable(f"the database does not answer: {type(error).__name__}") from error
    except OperationFailure as error:
        if error.code in _AWAY_CODES or error.timeout:
            raise Unreachable(f"the database does not answer: {error.code}") from error
        raise
    except PyMongoError as error:
        if error.timeout:
            raise Unreachable(f"the database does not answer: {type(error).__name__}") from error
        raise
