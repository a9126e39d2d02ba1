"""What both of the reconciler's loops do: hold one session's trouble off from the others, count and log a repair."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

import structlog

from ekiden.domain.ids import SessionId
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import Session
from ekiden.errors import Unreachable
from ekiden.metrics import RECONCILER_REPAIRS
from ekiden.relay import Relay

log = structlog.get_logger()
AT_ONCE = 25
"""So many are repaired side by side: they share round trips, and hold no more than so many sessions in memory."""
T = TypeVar("T")


@contextmanager
def one_by_one(session_id: SessionId) -> Generator[None]:
    """One session that cannot be repaired, because of a bug or of what it has become, holds up no other."""
    try:
        yield
    except Unreachable:
        raise
    except Exception:
        log.exception("session_not_reconciled", session_id=session_id)


async def side_by_side(each: AsyncIterator[T], repair: Callable[[T], Awaitable[None]]) -> None:
    """Repair many, some at a time, so that they share their round trips to the database. Raises what the first raises.

    Nothing is under way any more when it raises.
    """
    together: list[T] = []
    async for one in each:
        together.append(one)
        if len(together) == AT_ONCE:
            await _all(map(repair, together))
            together.clear()
    await _all(map(repair, together))


async def _all(repairs: Iterable[Awaitable[None]]) -> None:
    for outcome in await asyncio.gather(*repairs, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def repaired(cause: str, decision: Decision | None) -> None:
    """Count a repair, if the decision was one."""
    if decision is not None and decision.verdict is Verdict.MOVED:
        RECONCILER_REPAIRS.labels(cause=cause).inc()
        log.info("repaired", cause=cause, session_id=decision.session.id, status=decision.session.status)


async def complete(relay: Relay, session: Session) -> None:
    """Do again what follows from a session's state, and create what it waits for and the ledger does not have."""
    if missing := await relay.send_again(session):
        log.warning("missing_tasks_created", session_id=session.id, missing=missing)
        RECONCILER_REPAIRS.labels(cause="task_missing").inc(missing)
