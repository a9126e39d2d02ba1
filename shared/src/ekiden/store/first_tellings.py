"""Noting what was told of for the first time: a little late, for by then most of it has been claimed."""

import asyncio
from collections.abc import Iterable

import structlog

from ekiden.domain.ids import TaskId
from ekiden.errors import Unreachable
from ekiden.store import task_writes as write
from ekiden.store.database import Collection, away

log = structlog.get_logger()
LATE_SECONDS = 0.25
"""A twentieth of the time after which a task is told of again."""


class FirstTellings:
    """Collects tasks whose command was published, and notes those that nobody has claimed, all in one write.

    What a crash forgets to note is announced again, once.
    """

    def __init__(self, tasks: Collection) -> None:
        self._tasks = tasks
        self._told: list[TaskId] = []
        self._waiting: asyncio.Task[None] | None = None

    def add(self, task_ids: Iterable[TaskId]) -> None:
        self._told += task_ids
        if self._told and self._waiting is None:
            self._waiting = asyncio.create_task(self._note_late())

    async def flush(self) -> None:
        """Note them now, if the database answers."""
        told, self._told = self._told, []
        if not told:
            return
        try:
            with away():
                unclaimed = write.never_announced(told)
                await self._tasks.update_many(unclaimed, write.announced(write.ANNOUNCE_AGAIN_SECONDS))
        except Unreachable as error:
            log.info("telling_not_noted", tasks=len(told), error=str(error))

    async def _note_late(self) -> None:
        await asyncio.sleep(LATE_SECONDS)
        self._waiting = None
        await self.flush()
