"""What those who watch sessions may rely on, as cases that the fake store and the real one both pass."""

from abc import ABC, abstractmethod
from uuid import uuid4

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Status
from ekiden.store.sessions import Counted
from ekiden_gateway.counts import Counting
from ekiden_gateway.feeds import Histories

NOBODY = SessionId("ses_" + "f" * 32)


class WatchedLab(ABC):
    """Which store, and how sessions move in it."""

    histories: Histories
    counting: Counting

    @abstractmethod
    async def begin(self, owner: str) -> SessionId: ...

    @abstractmethod
    async def move(self, session_id: SessionId, status: Status) -> None: ...


class WatchedContract:
    async def test_the_history_is_told_from_behind_a_version(self, lab: WatchedLab) -> None:
        session_id = await lab.begin("me")
        await lab.move(session_id, Status.THINKING)
        await lab.move(session_id, Status.EXECUTING)

        for settled in (False, True):
            told = await lab.histories.history(session_id, 0, settled=settled)
            assert [(entry["version"], entry["status"]) for entry in told or ()] == [(1, "THINKING"), (2, "EXECUTING")]
        assert await lab.histories.history(session_id, 2) == []
        assert await lab.histories.history(NOBODY, -1) is None

    async def test_of_many_sessions_those_that_are_there_have_a_version(self, lab: WatchedLab) -> None:
        one, other = await lab.begin("me"), await lab.begin("me")
        await lab.move(other, Status.THINKING)

        assert await lab.histories.versions([one, other, NOBODY]) == {one: 0, other: 1}

    async def test_every_move_changes_what_is_counted_of_its_owner(self, lab: WatchedLab) -> None:
        me, you, nobody = (uuid4().hex for _ in range(3))
        one, _, other = await lab.begin(me), await lab.begin(me), await lab.begin(you)
        for _ in range(2):
            await lab.move(one, Status.THINKING)
        await lab.move(other, Status.CANCELLED)

        assert await lab.counting.counted([me, you, nobody]) == {
            me: {Status.PENDING: Counted(1, 0), Status.THINKING: Counted(1, 2)},
            you: {Status.CANCELLED: Counted(1, 1)},
        }
