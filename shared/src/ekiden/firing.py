"""Firing: load → decide → save → carry out, for whatever begins a session of a schedule.

The orchestrators' scheduler and a person at the gateway come through here. What was decided is saved by
compare-and-set before any of it is done, so it is decided once; from there it can be done again from the schedule
alone, by anybody: a session's id is made from its tick, and it is started under a key of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from ekiden.clock import Clock
from ekiden.crashpoints import reach
from ekiden.domain import scheduling as rules
from ekiden.domain.ids import ScheduleId
from ekiden.domain.messages import Cancel, Start
from ekiden.domain.schedule import Outcome, Run, Schedule, Standing
from ekiden.domain.session import Session
from ekiden.metrics import SCHEDULE_TICKS
from ekiden.relay import Relay
from ekiden.store.schedule_runs import RunStore
from ekiden.store.schedules import ScheduleStore
from ekiden.store.sessions import Idempotency
from ekiden.store.webhooks import WebhookStore

log = structlog.get_logger()
Admit = Callable[[Session], Awaitable[None]]
"""Raises what shall keep a session from beginning: then nothing is decided."""
SETTLED = timedelta(seconds=5)
"""What was decided less than this ago is still in the hands of whoever decided it."""


@dataclass(frozen=True)
class Firing:
    """Every method raises Unreachable: then nothing is decided, or what is decided will be carried out later."""

    schedules: ScheduleStore
    runs: RunStore
    webhooks: WebhookStore
    relay: Relay
    clock: Clock

    async def tick(self, schedule: Schedule, *, by_the_clock: bool = True) -> None:
        """Decide on what is due of a schedule just loaded, and do it. Nothing when somebody else does.

        What is not `by_the_clock` is a person's order that waits.
        """
        now = self.clock.now()
        if schedule.decided:
            if schedule.decided_at is not None and schedule.decided_at > now - SETTLED:
                return
            done = await self.carry_out(schedule)
            if done is None:
                return
            schedule = done
        standing = await self._standing(schedule)
        rule = rules.decide if by_the_clock else rules.release
        decided = await asyncio.to_thread(rule, schedule, now, standing)  # after weeks away it takes a while
        if decided is not schedule:
            await self._save(schedule, decided)

    async def fire(
        self, schedule_id: ScheduleId, order: str, admit: Admit | None = None
    ) -> tuple[Schedule, Run] | None:
        """Carry out a person's order, once under its name: the schedule then, and what became of the order.

        `admit` is asked before a session begins for it that takes no other's place. None when there is no such
        schedule.
        """
        while (schedule := await self.schedules.load(schedule_id)) is not None:
            if schedule.decided:  # its sessions must stand before the next decision can count them
                await self.carry_out(schedule)
                continue
            now = self.clock.now()
            if (before := await self.ordered(schedule, order)) is not None:
                return schedule, before
            decided, run = rules.fire(schedule, now, order, await self._standing(schedule))
            if decided is schedule:
                return schedule, run
            if admit is not None and run.outcome is Outcome.FIRED and not run.cancels:
                await admit(schedule.begun(run, now))
            if (saved := await self._save(schedule, decided)) is not None:
                return saved, run
        return None

    async def ordered(self, schedule: Schedule, order: str) -> Run | None:
        """What became of a person's order, if it is on record. One that began nothing and waits for nothing is not."""
        return await self.runs.one(schedule.run_id(Run(schedule.created_at, Outcome.FIRED, order=order)))

    async def carry_out(self, schedule: Schedule) -> Schedule | None:
        """Do what was decided, as often as it takes. None when somebody else has moved the schedule meanwhile."""
        for run in schedule.decided:
            await self.runs.record(schedule, run)
            if run.outcome is Outcome.FIRED:
                await self._begin(schedule, run)
        reach("schedule:before_carried_out")
        return await self.schedules.save(schedule, rules.carried_out(schedule))

    async def _save(self, schedule: Schedule, decided: Schedule) -> Schedule | None:
        """None when somebody else has moved the schedule meanwhile: then nothing was decided."""
        reach("schedule:before_decided")
        saved = await self.schedules.save(schedule, decided)
        if saved is None:
            return None
        reach("schedule:after_decided")
        for run in saved.decided:
            _tell(saved, run)
        return await self.carry_out(saved) or saved

    async def _begin(self, schedule: Schedule, run: Run) -> None:
        """The one it takes the place of ends first: two of a schedule never spend side by side."""
        now = self.clock.now()
        for other in run.cancels:
            await self.relay.say(other, lambda _: Cancel(now))
        reach("schedule:after_cancelled")
        session = schedule.begun(run, now)
        if await self.runs.is_pruned(session.id):
            return
        await self.webhooks.listen(session)
        await self.relay.sessions.create(session)
        reach("schedule:after_created")
        await self.relay.say(session.id, lambda _: Start(now), Idempotency(schedule.run_id(run), "start"))

    async def _standing(self, schedule: Schedule) -> Standing:
        running = await self.runs.running(schedule.id)
        if schedule.budget is None:
            return Standing(running)
        account = await self.runs.account(schedule.id, schedule.cron.month_of(self.clock.now()))
        return Standing(running, account.committed)


def _tell(schedule: Schedule, run: Run) -> None:
    reason = f"_{run.reason}" if run.outcome is Outcome.SKIPPED else ""
    SCHEDULE_TICKS.labels(outcome=f"{run.outcome}{reason}").inc(run.ticks)
    about: dict[str, object] = {"schedule_id": schedule.id, "at": run.at.isoformat(), "ticks": run.ticks}
    match run.outcome:
        case Outcome.FIRED:
            log.info("schedule_fired", **about, session_id=schedule.session_id(run))
        case Outcome.QUEUED:
            log.info("schedule_queued", **about)
        case Outcome.SKIPPED:
            log.info("schedule_skipped", **about, reason=run.reason)
        case Outcome.MISSED:
            log.warning("schedule_ticks_missed", **about)
