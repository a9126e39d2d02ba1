"""How many sessions there are: now, or live."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ekiden_gateway.access import Listening, Owner, UsedParts, once_begun
from ekiden_gateway.documented import documented
from ekiden_gateway.event_stream import EventStream, is_asked_for, streamed
from ekiden_gateway.models.sessions import SessionCounts
from ekiden_gateway.views import events as views
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["sessions"])
_EXAMPLE = 'event: counts\ndata: {"total": 12, "pending": 0, "thinking": 3, "completed": 9, …}\n\n'


@router.get(
    "/counts",
    operation_id="countSessions",
    response_model=SessionCounts,
    responses=documented() | streamed("The counts; live when `Accept` asks for text/event-stream", _EXAMPLE),
    dependencies=[Depends(once_begun)],
)
async def counts(request: Request, parts: UsedParts, owner: Owner, may_go_on: Listening) -> Response | SessionCounts:
    """Count your sessions by status; with `Accept: text/event-stream` go on live.

    Each event is the present, sent at once and then whenever one of your sessions has moved, at most once a second.
    The last state always arrives; what was passed through between two events does not. So there is nothing to resume.
    """
    present = await parts.counts.of(owner)
    if is_asked_for(request):
        return EventStream(parts.counts.follow(owner, present), may_go_on)
    return views.counts(present)
