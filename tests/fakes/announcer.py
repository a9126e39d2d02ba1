"""An announcer that remembers what it was told."""

from dataclasses import dataclass, field

from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.domain.session import Session
from ekiden.errors import Unreachable


@dataclass
class FakeAnnouncer:
    commands: list[TaskId] = field(default_factory=list[TaskId])
    ended: list[tuple[TaskId, bool]] = field(default_factory=list[tuple[TaskId, bool]])
    moved: list[int] = field(default_factory=list[int])
    away: bool = False

    async def command(self, provider: Provider, task_id: TaskId, session_id: SessionId) -> None:
        self._reached()
        self.commands.append(task_id)

    async def task_ended(self, task_id: TaskId, session_id: SessionId, *, completed: bool) -> None:
        self._reached()
        self.ended.append((task_id, completed))

    async def session_moved(self, session: Session) -> None:
        self.moved.append(session.version)

    def _reached(self) -> None:
        if self.away:
            raise Unreachable("the broker is away")
