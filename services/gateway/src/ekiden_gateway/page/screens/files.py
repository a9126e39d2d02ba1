"""The files of the page, to be kept for ever: another content has another address."""

from fastapi import APIRouter
from starlette.responses import Response

from ekiden_gateway.kinds import NOT_FOUND
from ekiden_gateway.page.assets import assets
from ekiden_gateway.problems import Problem

router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name}")
async def file(digest: str, name: str) -> Response:
    found = assets().get(name)
    if found is None or found.path != f"/static/{digest}/{name}":
        raise Problem(NOT_FOUND)
    return Response(
        found.body, media_type=found.media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )
