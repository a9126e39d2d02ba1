"""One command may tell of several texts: each is delivered, and the message is needed until the last is claimed."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from ekiden.broker.consumer import Ack
from ekiden.clock import DatabaseClock
from ekiden.domain.ids import SessionId, TaskId
from ekiden.errors import Unreachable
from ekiden.messages.envelope import GenerateText, Named
from ekiden.stamp import Stamp
from ekiden.worker.runtime import Runtime
from ekiden_gpt_worker.app import build
from ekiden_gpt_worker.settings import GptWorkerSettings

TASKS = [TaskId(f"ses_{n:032x}.1T.g1.0") for n in range(3)]


def session_of(task: TaskId) -> SessionId:
    return SessionId(task.partition(".")[0])


class Deliveries:
    """As much of a runtime as a command meets: it acknowledges what it takes on."""

    def __init__(self, fails: dict[TaskId, Exception]) -> None:
        self.fails = fails
        self.told = list[TaskId]()
        self.acknowledged_after = list[int]()

    async def deliver(self, task_id: TaskId, session_id: SessionId, ack: Ack) -> None:
        assert session_id == session_of(task_id)
        if task_id in self.fails:
            self.told.append(task_id)
            raise self.fails[task_id]
        for _ in range(10):  # the others are still busy when one fails
            await asyncio.sleep(0)
        self.told.append(task_id)
        await ack()


async def receive(deliveries: Deliveries, tasks: list[TaskId]) -> None:
    """Hand over one command that tells of all."""
    settings = cast("Callable[..., Any]", GptWorkerSettings)(
        amqp_url="amqp://x/", mongodb_url="mongodb://x/", OPENAI_API_KEY="x"
    )
    worker = build(settings)
    worker._runtime = cast("Runtime", deliveries)

    async def ack() -> None:
        deliveries.acknowledged_after.append(len(deliveries.told))

    first, *also = (Named(task_id=task, session_id=session_of(task)) for task in tasks)
    stamp = Stamp(DatabaseClock()).fields()
    await worker._receive(
        GenerateText(**stamp, task_id=first.task_id, session_id=first.session_id, also=tuple(also)), ack
    )


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_a_command_is_acknowledged_once_when_the_last_of_its_tasks_is_taken_on(count: int) -> None:
    deliveries = Deliveries({})
    await receive(deliveries, TASKS[:count])
    assert deliveries.told == TASKS[:count]
    assert deliveries.acknowledged_after == [count]


@pytest.mark.parametrize("bad", TASKS, ids=["first", "second", "third"])
async def test_a_command_is_kept_when_the_database_was_away_for_one_of_its_tasks(bad: TaskId) -> None:
    deliveries = Deliveries({bad: Unreachable("away")})
    with pytest.raises(Unreachable):
        await receive(deliveries, TASKS)
    assert sorted(deliveries.told) == TASKS
    assert deliveries.acknowledged_after == []


async def test_a_bug_with_one_task_keeps_back_no_other_and_is_told() -> None:
    deliveries = Deliveries({TASKS[0]: ZeroDivisionError("a bug")})
    with pytest.raises(ZeroDivisionError):
        await receive(deliveries, TASKS)
    assert sorted(deliveries.told) == TASKS
    assert deliveries.acknowledged_after == []
