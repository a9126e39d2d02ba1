"""For probes and for people who look around: alive, ready, metrics, the kinds of problems, a page of links."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from ekiden_gateway.access import UsedParts
from ekiden_gateway.problems import KINDS, NOT_FOUND, Problem

router = APIRouter(tags=["service"])
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ekiden</title></head>
<body><h1>Ekiden 駅伝</h1><p>Chain-of-thought sessions, carried from phase to phase.</p>
<ul>
<li><a href="/docs">API documentation</a> (<a href="/openapi.json">OpenAPI</a>)</li>
<li><a href="/api/viral/cot-session/">Sessions</a></li>
<li><a href="/api/workflows">Workflows</a></li>
<li><a href="/readyz">Readiness</a></li>
<li><a href="/metrics">Metrics</a></li>
</ul></body></html>
"""


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    return HTMLResponse(_PAGE)


@router.get("/healthz", operation_id="isAlive", response_class=PlainTextResponse)
async def alive() -> PlainTextResponse:
    """Answer as long as the process works."""
    return PlainTextResponse("alive\n")


@router.get("/readyz", operation_id="isReady", responses={503: {"description": "What does not work, line by line"}})
async def ready(parts: UsedParts) -> PlainTextResponse:
    """Say whether broker and database really work."""
    wrong = await parts.unready()
    return PlainTextResponse("\n".join([*(wrong or ["ready"]), ""]), 503 if wrong else 200)


@router.get("/metrics", operation_id="getMetrics", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Metrics for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/problems/{name}", operation_id="explainProblem")
async def problem(name: str) -> JSONResponse:
    """Say what a problem's `type` means."""
    kind = KINDS.get(name)
    if kind is None:
        raise Problem(NOT_FOUND, f"There is no problem {name}.")
    return JSONResponse({"type": kind.type, "title": kind.title, "status": kind.status})
