"""Workflows: what sessions can be created with."""

from collections.abc import Sequence
from urllib.parse import quote

from ekiden_client.connection import Connection
from ekiden_client.models.document import Page
from ekiden_client.models.workflows import Workflow

_PATH = "/api/workflows"


class Workflows:
    """`client.workflows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> Sequence[Workflow]:
        return (await self._connection.ask(Page[Workflow], "GET", _PATH)).items

    async def get(self, name: str) -> Workflow:
        return await self._connection.ask(Workflow, "GET", f"{_PATH}/{quote(name, safe='')}")
