"""Admission: whether a session may begin to run now. One that has begun is never asked again.

Asked where a session gets its place: created with `start`, started, set going again after its end, or begun by hand of
a schedule. A repeat of what was accepted, a `dryRun`, a gate, a budget and a retry that is due pass without.
"""

import math
from collections.abc import Mapping

from ekiden.domain.decider import decide
from ekiden.domain.forecast import Medians
from ekiden.domain.messages import Message
from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import Verdict
from ekiden.domain.session import Session
from ekiden.metrics import REQUESTS_REFUSED
from ekiden.store.sessions import MOVING, Idempotency
from ekiden_gateway.kinds import AT_CAPACITY, TOO_MANY_SESSIONS
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem

Depths = Mapping[tuple[str, str], int]
SHORTEST_SECONDS = 1
LONGEST_SECONDS = 600
"""An estimate beyond this says only that something stands still: better look again."""
UNMEASURED_SECONDS = 30


async def admit(
    parts: Parts, session: Session, message: Message, known_as: Idempotency | None, *, stored: bool = True
) -> None:
    """Let a session begin, if this message would begin it. Raises Problem when its client or the queue is full."""
    if session.status in MOVING:
        return
    most_tasks = parts.settings.admission_tasks
    most_sessions = (await parts.callers.limits(session.owner)).sessions
    if most_tasks is None and most_sessions is None:
        return
    plan = (await parts.workflows.compiled(session.workflow)).plan
    if not _begins(session, message, plan):
        return
    said_to = session.id if stored else None
    if known_as is not None and await parts.sessions.accepted_before(session.owner, known_as.key, said_to):
        return
    if most_tasks is not None:
        await _queues_have_room(parts, plan, most_tasks)
    key = known_as.key if known_as is not None and not stored else None
    if most_sessions is not None and not await parts.places.take(session, most_sessions, key):
        REQUESTS_REFUSED.labels(reason="sessions").inc()
        raise Problem(
            TOO_MANY_SESSIONS,
            f"{session.owner} may have {most_sessions} sessions under way or waiting at a time, and has them. Nothing "
            "was started.",
            extra={"mostSessions": most_sessions},
        )


def retry_after(over: int, leased: int, median: float | None) -> int:
    """In how many seconds so many tasks will be done, if as many run as now and each takes as long as usual."""
    if median is None:
        return UNMEASURED_SECONDS
    return max(SHORTEST_SECONDS, min(LONGEST_SECONDS, math.ceil(over * median / max(1, leased))))


def _begins(session: Session, message: Message, plan: Plan) -> bool:
    decision = decide(session, message, plan)
    return decision.verdict is Verdict.MOVED and decision.session.status in MOVING


async def _queues_have_room(parts: Parts, plan: Plan, most: int) -> None:
    depths: Depths = await parts.around.depths()
    for provider in sorted({step.provider for step in plan.steps}):
        queued = depths.get((provider, "queued"), 0)
        if queued >= most:
            medians = await parts.around.medians()
            raise _too_deep(provider, queued, most, depths, medians)


def _too_deep(provider: Provider, queued: int, most: int, depths: Depths, medians: Medians) -> Problem:
    REQUESTS_REFUSED.labels(reason="queue_depth").inc()
    leased = depths.get((provider, "leased"), 0)
    seconds = retry_after(queued - most + 1, leased, medians.get(provider))
    return Problem(
        AT_CAPACITY,
        f"{queued} tasks wait for {provider}, and new sessions are taken on below {most}. Nothing was started; what "
        "runs goes on.",
        headers={"Retry-After": str(seconds)},
    )
