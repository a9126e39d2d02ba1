"""A real broker and a real database for the tests of this folder: the same for all of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from ekiden.store.database import Database
from ekiden.store.schema import ensure_schema
from tests.integration.servers import Servers, in_containers, native


@dataclass(frozen=True)
class Infra:
    """Where broker and database answer, and who runs them. Whoever stops one starts it again."""

    amqp_url: str
    mongodb_url: str
    stack: Servers


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infra]:
    with _servers(tmp_path_factory) as (amqp_url, mongodb_url, servers):
        yield Infra(amqp_url, mongodb_url, servers)


def _servers(tmp_path_factory: pytest.TempPathFactory) -> AbstractContextManager[tuple[str, str, Servers]]:
    if not in_containers():
        return native(tmp_path_factory.mktemp("infra"))
    from tests.integration.containers import containers  # Docker's library is loaded where there is a Docker

    return containers()


@pytest.fixture(scope="module")
async def database(infra: Infra) -> AsyncIterator[Database]:
    """A database of this module's own, with its indexes."""
    made = Database(infra.mongodb_url, f"test_{uuid4().hex[:12]}")
    await made.synchronise_clock()
    await ensure_schema(made)
    yield made
    await made.close()
