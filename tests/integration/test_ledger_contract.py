"""The real ledger passes the contract."""

import pytest

from ekiden.store.database import Database
from tests.contract.ledger_contract import LedgerContract, LedgerLab
from tests.integration.mongo_lab import MongoLab


@pytest.fixture
def lab(database: Database) -> LedgerLab:
    return MongoLab(database)


class TestMongoLedger(LedgerContract):
    """On a database."""

    rounds = 50
