"""The fake store passes the contract, so that what is tested with it is tested against the real one's promises."""

from uuid import uuid4

import pytest

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from tests.contract.watched_contract import WatchedContract, WatchedLab
from tests.fakes.sessions import FakeSessions


class FakeLab(WatchedLab):
    def __init__(self) -> None:
        self.fake = self.histories = self.counting = FakeSessions()

    async def begin(self, owner: str) -> SessionId:
        session_id = SessionId(f"ses_{uuid4().hex}")
        self.fake.begin(session_id, owner)
        return session_id

    async def move(self, session_id: SessionId, status: Status) -> None:
        self.fake.move(session_id, status)


@pytest.fixture
def lab() -> WatchedLab:
    return FakeLab()


class TestFakeSessions(WatchedContract):
    """In memory."""
