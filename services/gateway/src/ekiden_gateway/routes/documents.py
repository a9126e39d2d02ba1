"""What there is to know about the API: its two documents, a page to read, and the kinds of problems.

The page needs no script and loads nothing from anywhere. It cannot try anything out: an API that spends money is not
to be clicked through.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse

from ekiden_gateway import asyncapi, reference
from ekiden_gateway.access import UsedParts
from ekiden_gateway.documented import responses
from ekiden_gateway.kinds import KINDS, NOT_FOUND, Kind
from ekiden_gateway.models.problems import ProblemPage, ProblemPages
from ekiden_gateway.problems import Problem

router = APIRouter(tags=["documents"])
_ONE_PAGE = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
"""Its style stands in it, and nothing else is loaded."""


@router.get("/openapi.json", operation_id="getOpenApi", response_model=dict[str, object])
async def openapi(request: Request, parts: UsedParts) -> JSONResponse:
    """This API, for programs (OpenAPI 3.1). It names keys where they are asked for."""
    return JSONResponse(request.app.state.openapi(parts.callers.asks))


@router.get("/asyncapi.json", operation_id="getAsyncApi", response_model=dict[str, object])
async def messages() -> JSONResponse:
    """The messages between the services (AsyncAPI 3.0)."""
    return JSONResponse(asyncapi.document())


@router.get("/docs", operation_id="readDocumentation", response_class=HTMLResponse)
async def page(request: Request, parts: UsedParts) -> HTMLResponse:
    """This API, for people."""
    own_style = {"Content-Security-Policy": _ONE_PAGE}
    return HTMLResponse(
        reference.page(request.app.state.openapi(parts.callers.asks), KINDS.values()), headers=own_style
    )


@router.get("/problems", operation_id="listProblems", response_model=ProblemPages)
async def problems() -> ProblemPages:
    """List the kinds of problems."""
    return ProblemPages(items=_explained(list(KINDS.values())))


@router.get(
    "/problems/{name}", operation_id="explainProblem", response_model=ProblemPage, responses=responses(NOT_FOUND)
)
async def problem(name: str) -> ProblemPage:
    """Say what a problem's `type` means, and what helps."""
    kind = KINDS.get(name)
    if kind is None:
        raise Problem(NOT_FOUND, f"There is no problem {name}; /problems lists them.")
    return _explained([kind])[0]


def _explained(kinds: Sequence[Kind]) -> list[ProblemPage]:
    return [
        ProblemPage(type=kind.type, status=kind.status, title=kind.title, meaning=kind.meaning, remedy=kind.remedy)
        for kind in kinds
    ]
