"""Replay: what a changed workflow makes of the answers a session was given."""

from fastapi import APIRouter, Depends, Response

from ekiden_gateway import replays
from ekiden_gateway.access import Located, UsedParts, once_begun
from ekiden_gateway.documented import BEGINNING, documented, header
from ekiden_gateway.kinds import REQUEST_RUNNING, UNKNOWN_SESSION
from ekiden_gateway.models.replays import ReplayForecast, ReplaySession
from ekiden_gateway.models.sessions import CreatedSession
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["recovery"])


@router.post(
    "/{sessionId}/replay",
    operation_id="replaySession",
    status_code=201,
    response_model=CreatedSession,
    responses=documented(UNKNOWN_SESSION, REQUEST_RUNNING, *BEGINNING)
    | {
        200: {"model": ReplayForecast, "description": "With `dryRun`: what it would reuse and buy"},
        201: {"headers": {"Location": header("The path of the replay", {"type": "string"})}},
    },
    dependencies=[Depends(once_begun)],
)
async def replay(
    session: Located, parts: UsedParts, response: Response, asked: ReplaySession | None = None
) -> CreatedSession | Response:
    """Run a workflow on a session's recorded answers, as a new session: only calls whose request changed are bought.

    Repeating it changes nothing, without a key: of a session there is one replay under each version of a workflow, and
    every answer is that replay's. With `dryRun` only say what it would reuse and buy.
    """
    wish = asked or ReplaySession()
    if wish.dry_run:
        foreseen = await replays.foresee(parts, session, wish)
        return Response(foreseen.model_dump_json(by_alias=True), media_type="application/json")
    made = await replays.begin(parts, session, wish)
    response.headers["Location"] = made.url
    return made
