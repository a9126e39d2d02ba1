"""The ledger of a session."""

from typing import Annotated

from fastapi import APIRouter, Path

from ekiden.domain.ids import TaskId
from ekiden_gateway.access import Located, UsedParts
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import UNKNOWN_SESSION, UNKNOWN_TASK
from ekiden_gateway.models.parts import TaskAnswer, TaskList
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import tasks as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["tasks"])


@router.get(
    "/{sessionId}/tasks", operation_id="listTasks", response_model=TaskList, responses=documented(UNKNOWN_SESSION)
)
async def all_tasks(session: Located, parts: UsedParts) -> TaskList:
    """List all tasks of a session, oldest first, with every submission and what it cost."""
    return TaskList(tasks=[views.task(document) for document in await parts.tasks.of_session(session.id, whole=True)])


@router.get(
    "/{sessionId}/tasks/{taskId}",
    operation_id="getTask",
    response_model=TaskAnswer,
    responses=documented(UNKNOWN_SESSION, UNKNOWN_TASK),
)
async def one_task(
    session: Located, parts: UsedParts, task_id: Annotated[str, Path(alias="taskId", max_length=200)]
) -> TaskAnswer:
    """Show one task: what was asked, sent, answered and paid."""
    found = await parts.tasks.one(session.id, TaskId(task_id))
    if found is None:
        raise Problem(UNKNOWN_TASK, f"The session {session.id} has no task {task_id}.")
    return views.task(found)
