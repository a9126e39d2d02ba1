"""The scheduler: begins what is due by the clock, where `EKIDEN_SCHEDULER=on`, and everywhere what a person ordered.

It runs in every orchestrator. Two of them may look at the same tick at once: whoever saves first has decided on it.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

import structlog

from ekiden.clock import Clock
from ekiden.domain.schedule import Schedule
from ekiden.errors import Unreachable
from ekiden.firing import SETTLED, Firing
from ekiden.metrics import SCHEDULES_LATE
from ekiden.store.schedules import AT_ONCE, ScheduleStore

log = structlog.get_logger()
LONGEST_PAUSE_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.05
"""Also covers how far our copy of the database's clock may be behind: what is due then is due."""


@dataclass(frozen=True)
class Scheduler:
    """`by_the_clock` is the setting. What was decided already is carried out with or without, and a person's order that
    waits for a session to end begins with or without.
    """

    schedules: ScheduleStore
    firing: Firing
    clock: Clock
    by_the_clock: bool

    async def pass_once(self) -> float:
        """Finish, then fire what is due. Answers the seconds until the next pass. Raises Unreachable."""
        for schedule in await self.schedules.not_carried_out(self.clock.now() - SETTLED):
            await _one_by_one(schedule, self.firing.carry_out(schedule))
        first, now = await self.schedules.next_at(), self.clock.now()
        SCHEDULES_LATE.set(max(0.0, (now - first).total_seconds()) if first is not None else 0.0)
        queueing = await self.schedules.queueing()
        if not self.by_the_clock:
            for schedule in queueing:
                await _one_by_one(schedule, self.firing.tick(schedule, by_the_clock=False))
            return LONGEST_PAUSE_SECONDS
        await self.schedules.beat()
        due = await self.schedules.due(now) if first is not None and first <= now else []
        for schedule in [*due, *queueing]:
            await _one_by_one(schedule, self.firing.tick(schedule))
        return SHORTEST_PAUSE_SECONDS if len(due) == AT_ONCE else await self._pause_seconds()

    async def _pause_seconds(self) -> float:
        now = self.clock.now()
        coming = await self.schedules.next_at(now)
        known = [(coming - now).total_seconds() + SHORTEST_PAUSE_SECONDS] if coming is not None else []
        return min([*known, LONGEST_PAUSE_SECONDS])


async def _one_by_one(schedule: Schedule, work: Awaitable[object]) -> None:
    """One schedule that cannot be fired, because of a bug or of what it has become, holds up no other."""
    try:
        await work
    except Unreachable:
        raise
    except Exception:
        log.exception("schedule_not_fired", schedule_id=schedule.id)
