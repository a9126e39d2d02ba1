"""A real broker and a real database for the tests of this folder: one native stack for all of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from ekiden.store.database import Database
from ekiden.store.schema import ensure_schema
from ekiden_native import Stack
from ekiden_native.ports import own_ports


@dataclass(frozen=True)
class Infra:
    """Where broker and database answer, and the stack that runs them. Whoever stops one starts it again."""

    amqp_url: str
    mongodb_url: str
    stack: Stack


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infra]:
    stack = Stack(tmp_path_factory.mktemp("infra"), services={}, env=own_ports())
    try:
        stack.up()
        yield Infra(stack.env["EKIDEN_AMQP_URL"], stack.env["EKIDEN_MONGODB_URL"], stack)
    finally:
        stack.down(wipe=True)


@pytest.fixture(scope="module")
async def database(infra: Infra) -> AsyncIterator[Database]:
    """A database of this module's own, with its indexes."""
    made = Database(infra.mongodb_url, f"test_{uuid4().hex[:12]}")
    await made.synchronise_clock()
    await ensure_schema(made)
    yield made
    await made.close()
