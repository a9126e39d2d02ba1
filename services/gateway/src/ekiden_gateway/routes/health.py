"""For probes and dashboards: alive, ready, metrics."""

from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from ekiden.metrics import GATEWAY, TABLE
from ekiden_gateway.access import UsedParts
from ekiden_gateway.documented import header
from ekiden_gateway.kinds import UNAVAILABLE

router = APIRouter(tags=["service"])
_UNREADY: dict[int | str, dict[str, Any]] = {
    503: {
        "description": "What does not work",
        "headers": {"Retry-After": header("Seconds after which to ask again", {"type": "integer", "minimum": 0})},
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@router.get("/healthz", operation_id="isAlive", response_class=PlainTextResponse)
async def alive() -> PlainTextResponse:
    """Answer as long as the process works."""
    return PlainTextResponse("alive\n")


@router.get("/readyz", operation_id="isReady", response_class=PlainTextResponse, responses=_UNREADY)
async def ready(parts: UsedParts) -> PlainTextResponse:
    """Say whether broker and database really work; if not, which of them, line by line."""
    wrong = await parts.unready()
    if not wrong:
        return PlainTextResponse("ready\n")
    return PlainTextResponse("\n".join([*wrong, ""]), 503, {"Retry-After": str(UNAVAILABLE.again_seconds)})


@router.get("/metrics", operation_id="getMetrics", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Metrics for Prometheus."""
    return Response(TABLE.exposition(GATEWAY), media_type=CONTENT_TYPE_LATEST)
