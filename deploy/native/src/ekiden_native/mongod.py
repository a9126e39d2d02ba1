"""A mongod of our own: a replica set of one member, which is what retryable writes need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from ekiden_native.ports import LOOPBACK
from ekiden_native.probe import Probe, accepts
from ekiden_native.state_dir import StateDir

_SET = "rs0"


@dataclass(frozen=True)
class Mongod:
    """One member: where it keeps its data, which program runs it, and its port."""

    state: StateDir
    server: Path
    port: int

    @property
    def url(self) -> str:
        return f"mongodb://{self._address}/?replicaSet={_SET}"

    @property
    def command(self) -> tuple[str, ...]:
        return (
            *(str(self.server), "--quiet", "--nounixsocket"),
            *("--replSet", _SET, "--bind_ip", LOOPBACK, "--port", str(self.port)),
            *("--dbpath", str(self._folder), "--wiredTigerCacheSizeGB", "0.5"),
            # Its diagnostics are for MongoDB's support; they would be written every second.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        )

    @property
    def _address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def _folder(self) -> Path:
        return self.state.data / "mongod"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def serves(self) -> Probe:
        """Ask whether it is primary, and make it so where the set is new or its port has changed."""
        listens = accepts(self.port)

        async def probe() -> bool:
            if not await listens():
                return False
            try:
                async with AsyncMongoClient[dict[str, Any]](
                    LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=1000, socketTimeoutMS=5000
                ) as client:
                    return await self._is_primary(client)
            except PyMongoError:
                return False

        return probe

    async def _is_primary(self, client: AsyncMongoClient[dict[str, Any]]) -> bool:
        hello = await client.admin.command("hello")
        if hello.get("isreplicaset"):  # it has no configuration, or one in which it does not find itself
            await self._configure(client)
            return False
        return bool(hello.get("isWritablePrimary"))

    async def _configure(self, client: AsyncMongoClient[dict[str, Any]]) -> None:
        members = [{"_id": 0, "host": self._address}]
        stored: Mapping[str, Any] | None = await client["local"]["system.replset"].find_one()
        if stored is None:
            await client.admin.command("replSetInitiate", {"_id": _SET, "members": members})
        else:
            moved = {**stored, "members": members, "version": stored["version"] + 1}
            await client.admin.command("replSetReconfig", moved, force=True)
