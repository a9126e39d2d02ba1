"""Schedules: sessions that begin by the clock."""

from collections.abc import AsyncGenerator, Mapping
from urllib.parse import quote

from ekiden_client.changes import KEPT, Change, changed
from ekiden_client.connection import Connection
from ekiden_client.models.schedules import (
    Fired,
    Preview,
    RunPage,
    Schedule,
    SchedulePage,
    ScheduleSummary,
)
from ekiden_client.models.words import Overlap
from ekiden_client.paging import LARGEST_PAGE, through
from ekiden_client.patience import Again

_PATH = "/api/schedules"
Wish = Mapping[str, object]
"""The body of a session's `create`, in the API's names: `{"theme": "AI", "budgetUsd": 0.5}`."""


class Schedules:
    """`client.schedules`. Nothing begins by the clock unless `scheduler.on` of an answer says so."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        name: str,
        cron: str,
        time_zone: str,
        session: Wish,
        *,
        overlap: Overlap | str | None = None,
        catch_up_seconds: int | None = None,
        budget_usd: float | None = None,
        idempotency_key: str | None = None,
    ) -> Schedule:
        """Begin a session at every tick of `cron` on the clocks of `time_zone`, a name of the IANA database.

        A tick that comes late still has its turn for `catch_up_seconds`; `budget_usd` is for a month. What is None is
        left to the gateway.
        """
        wish: dict[str, object] = {"name": name, "cron": cron, "timeZone": time_zone, "session": session}
        policy = {"overlap": overlap, "catchUpSeconds": catch_up_seconds, "budgetUsd": budget_usd}
        wish |= {name: value for name, value in policy.items() if value is not None}
        return await self._connection.command(Schedule, _PATH, wish, idempotency_key=idempotency_key)

    async def page(self, *, limit: int = 20, cursor: str | None = None) -> SchedulePage:
        """Return one page, newest first."""
        return await self._connection.ask(SchedulePage, "GET", _PATH, params={"limit": limit, "cursor": cursor})

    def all(self) -> AsyncGenerator[ScheduleSummary]:
        """Give all of your schedules, over as many pages as there are."""
        return through(lambda cursor: self.page(limit=LARGEST_PAGE, cursor=cursor))

    async def get(self, schedule_id: str) -> Schedule:
        """Return a schedule with its `etag`, the sessions that run and the money of the month."""
        return await self._connection.look(Schedule, _one(schedule_id))

    async def edit(
        self,
        schedule_id: str,
        *,
        name: Change[str] = KEPT,
        cron: Change[str] = KEPT,
        time_zone: Change[str] = KEPT,
        session: Change[Wish] = KEPT,
        overlap: Change[Overlap | str] = KEPT,
        catch_up_seconds: Change[int] = KEPT,
        budget_usd: Change[float | None] = KEPT,
        etag: str | None = None,
    ) -> Schedule:
        """Change a schedule, from now on; `session` is replaced as a whole.

        Raises ChangedMeanwhile when `etag` is not its state any more. Ticks do not change it.
        """
        wish = {"name": name, "cron": cron, "timeZone": time_zone, "session": session, "overlap": overlap}
        wish |= {"catchUpSeconds": catch_up_seconds, "budgetUsd": budget_usd}
        return await self._connection.edit(Schedule, _one(schedule_id), changed(wish), etag)

    async def delete(self, schedule_id: str) -> None:
        """Delete a schedule. Its sessions stay, and run on."""
        await self._connection.send("DELETE", _one(schedule_id), again=Again.IF_NOT_DONE)

    async def pause(self, schedule_id: str, reason: str = "") -> Schedule:
        """Let no tick begin anything until `resume`; those in between are neither caught up nor missed."""
        path = f"{_one(schedule_id)}/pause"
        return await self._connection.ask(Schedule, "POST", path, json={"reason": reason})

    async def resume(self, schedule_id: str) -> Schedule:
        return await self._connection.ask(Schedule, "POST", f"{_one(schedule_id)}/resume")

    async def fire(self, schedule_id: str, *, idempotency_key: str | None = None) -> Fired:
        """Begin one session now, whatever the clock says. Raises Conflict when none begins, which says why."""
        path = f"{_one(schedule_id)}/fire"
        return await self._connection.command(Fired, path, idempotency_key=idempotency_key)

    async def preview(self, schedule_id: str, *, count: int | None = None) -> Preview:
        """Return the next ticks, and what a session and thirty days may cost."""
        path = f"{_one(schedule_id)}/preview"
        return await self._connection.ask(Preview, "GET", path, params={"count": count})

    async def runs(self, schedule_id: str, *, limit: int = 20, cursor: str | None = None) -> RunPage:
        """Return one page of what became of each tick, the latest first."""
        path, params = f"{_one(schedule_id)}/runs", {"limit": limit, "cursor": cursor}
        return await self._connection.ask(RunPage, "GET", path, params=params)


def _one(schedule_id: str) -> str:
    return f"{_PATH}/{quote(schedule_id, safe='')}"
