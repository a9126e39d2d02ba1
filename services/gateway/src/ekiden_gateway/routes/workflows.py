"""The workflows a session can be created with."""

from fastapi import APIRouter

from ekiden_gateway.access import Owner, UsedParts
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import UNKNOWN_WORKFLOW
from ekiden_gateway.models.parts import WorkflowAnswer, WorkflowPage
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import workflow as views

router = APIRouter(prefix="/api/workflows", tags=["workflows"])


@router.get("", operation_id="listWorkflows", response_model=WorkflowPage, responses=documented())
async def all_workflows(parts: UsedParts, owner: Owner) -> WorkflowPage:
    """List the workflows with their inputs, languages and phases."""
    return WorkflowPage(items=[views.workflow(found) for _, found in sorted(parts.catalogue.workflows.items())])


@router.get(
    "/{name}", operation_id="getWorkflow", response_model=WorkflowAnswer, responses=documented(UNKNOWN_WORKFLOW)
)
async def one_workflow(name: str, parts: UsedParts, owner: Owner) -> WorkflowAnswer:
    """Show one workflow."""
    found = parts.catalogue.workflows.get(name)
    if found is None:
        raise Problem(UNKNOWN_WORKFLOW, f"There is no workflow {name}.")
    return views.workflow(found)
