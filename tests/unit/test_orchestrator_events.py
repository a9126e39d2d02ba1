"""One message may tell of several tasks: each session is looked at, whatever becomes of the others."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.errors import Unreachable
from ekiden.messages.envelope import Named, TaskCompleted
from ekiden.relay import Relay
from ekiden.stamp import Stamp
from ekiden_orchestrator.app import Orchestrator
from ekiden_orchestrator.settings import OrchestratorSettings

TASKS = [TaskId(f"ses_{n:032x}.1T.g1.0") for n in range(3)]


def session_of(task: TaskId) -> SessionId:
    return SessionId(task.partition(".")[0])


class Looks:
    """As much of a relay as an event meets."""

    def __init__(self, fails: dict[TaskId, Exception]) -> None:
        self.fails = fails
        self.at = list[TaskId]()

    async def task_ended(self, session_id: SessionId, task_id: TaskId) -> None:
        assert session_id == session_of(task_id)
        if task_id in self.fails:
            self.at.append(task_id)
            raise self.fails[task_id]
        for _ in range(10):  # the others are still busy when one fails
            await asyncio.sleep(0)
        self.at.append(task_id)


async def deliver(looks: Looks) -> bool:
    """Hand over one message that tells of all; whether it was acknowledged."""
    settings = cast("Callable[..., Any]", OrchestratorSettings)(amqp_url="amqp://x/", mongodb_url="mongodb://x/")
    orchestrator = Orchestrator(settings)
    orchestrator._relay = cast("Relay", looks)
    acknowledged = False

    async def ack() -> None:
        nonlocal acknowledged
        acknowledged = True

    first, *also = (Named(task_id=task, session_id=session_of(task)) for task in TASKS)
    stamp = Stamp(DatabaseClock()).fields()
    message = TaskCompleted(**stamp, task_id=first.task_id, session_id=first.session_id, also=tuple(also))
    await orchestrator._task_ended(message, ack)
    return acknowledged


async def test_each_session_is_looked_at_before_the_message_is_acknowledged() -> None:
    looks = Looks({})
    assert await deliver(looks)
    assert looks.at == TASKS


@pytest.mark.parametrize("bad", TASKS, ids=["first", "second", "third"])
async def test_a_bug_with_one_session_keeps_back_no_other_and_is_told(bad: TaskId) -> None:
    looks = Looks({bad: ZeroDivisionError("a bug")})
    with pytest.raises(ZeroDivisionError):
        await deliver(looks)
    assert sorted(looks.at) == TASKS


async def test_a_message_is_kept_when_the_database_was_away_for_one_of_its_sessions() -> None:
    with pytest.raises(Unreachable):
        await deliver(Looks({TASKS[1]: Unreachable("away")}))
