"""What happened to a session: as a list, or live."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from ekiden.domain.ids import SessionId
from ekiden.domain.session import OVER
from ekiden_gateway.access import Listening, SessionPath, Stands, UsedParts
from ekiden_gateway.documented import Responses, documented
from ekiden_gateway.event_stream import EventStream, is_asked_for, streamed
from ekiden_gateway.kinds import UNKNOWN_SESSION
from ekiden_gateway.models.parts import EventList
from ekiden_gateway.views import events as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["events"])
LastEventId = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,9})?$")]
"""The id of an event; a browser that has seen none may send an empty one."""
_EXAMPLE = 'event: session\ndata: {"id": 2, "status": "EXECUTING", "cause": "Look"}\nid: 2\n\n'
_NOTHING_FOLLOWS: Responses = {
    204: {"description": "To a stream: the session is over and all of it was told, so do not come back"}
}


@router.get(
    "/{sessionId}/events",
    operation_id="listEvents",
    response_model=EventList,
    responses=documented(UNKNOWN_SESSION)
    | streamed("The history; live when `Accept` asks for text/event-stream", _EXAMPLE)
    | _NOTHING_FOLLOWS,
)
async def events(
    request: Request,
    session_id: SessionPath,
    session: Stands,
    parts: UsedParts,
    may_go_on: Listening,
    after: Annotated[int, Query(ge=-1, le=10**9, description="Only what follows this id")] = -1,
    last_event_id: Annotated[LastEventId | None, Header(description="Resumes a stream after it")] = None,
) -> Response | EventList:
    """List the transitions of a session; with `Accept: text/event-stream` go on live.

    The id of an event is the session's version: over a reconnect nothing is lost or repeated. Whoever names an id that
    the session has not come to (it is out of a backup, or made up) is told the whole history.

    Behind the last transition of a session that is COMPLETED or CANCELLED comes an event `end`, and the stream ends.
    Whoever comes back and knows all of it gets 204, which keeps a browser from coming back again.
    """
    if not is_asked_for(request):
        history = await parts.sessions.history(SessionId(session_id), after) or []
        return EventList(events=[views.entry(document) for document in history])
    seen = int(last_event_id) if last_event_id else after
    if seen > session.version:
        seen = -1
    if seen == session.version and session.status in OVER:
        return Response(status_code=204)
    return EventStream(parts.feeds.follow(SessionId(session_id), seen, session.version), may_go_on)
