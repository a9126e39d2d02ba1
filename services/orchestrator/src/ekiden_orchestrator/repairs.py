"""What both of the reconciler's loops do: hold one session's trouble off from the others, count and log a repair."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog

from ekiden.domain.ids import SessionId
from ekiden.domain.progress import Decision, Verdict
from ekiden.domain.session import Session
from ekiden.errors import Unreachable
from ekiden.metrics import RECONCILER_REPAIRS
from ekiden.relay import Relay

log = structlog.get_logger()


@contextmanager
def one_by_one(session_id: SessionId) -> Generator[None]:
    """One session that cannot be repaired, because of a bug or of what it has become, holds up no other."""
    try:
        yield
    except Unreachable:
        raise
    except Exception:
        log.exception("session_not_reconciled", session_id=session_id)


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
