"""The gateway itself: whether it can work, which version it is, what time it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ekiden_client.connection import Connection
from ekiden_client.models.document import Document

_OK = 200


@dataclass(frozen=True)
class Readiness:
    """What does not really work right now, one sentence each, and the gateway's time to the second, if it told."""

    wrong: Sequence[str]
    time: datetime | None

    @property
    def is_ready(self) -> bool:
        return not self.wrong


class _About(Document):
    title: str
    version: str


class _Api(Document):
    info: _About


class Service:
    """`client.service`. Readiness needs no key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def readiness(self) -> Readiness:
        """Ask whether broker, database and consumers really work. Both answers, yes and no, are answers."""
        response = await self._connection.once("/readyz")
        wrong = response.text.strip()[:2000].splitlines() or [f"it answers with status {response.status_code}"]
        return Readiness([] if response.status_code == _OK else wrong, _time(response))

    async def version(self) -> str:
        """Return the gateway's version."""
        return (await self._connection.ask(_Api, "GET", "/openapi.json")).info.version


def _time(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
