"""Sessions: create, list, show, and say how far they are."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from ekiden.domain.session import Status
from ekiden.store.session_document import from_document
from ekiden.workflow.sources import sources_of
from ekiden_gateway import gates, intake
from ekiden_gateway.access import IdempotencyKey, Located, Owner, UsedParts, once_begun
from ekiden_gateway.commands import examine, workflow_of
from ekiden_gateway.conditional import UNCHANGED, IfNoneMatch, etag, names
from ekiden_gateway.documented import BEGINNING, documented, with_location
from ekiden_gateway.kinds import KEY_REUSED, REQUEST_RUNNING, TOO_MANY_WEBHOOKS, UNKNOWN_SESSION
from ekiden_gateway.listing import Limit, MetadataFilter, Moment, Wanted, cursor, cursor_parameter, read_cursor
from ekiden_gateway.models.requests import CreateSession
from ekiden_gateway.models.sessions import AsyncStatus, CreatedSession, SessionAnswer, SessionPage
from ekiden_gateway.views import session as views
from ekiden_gateway.views import status
from ekiden_gateway.views.session import BASE

router = APIRouter(prefix=BASE, tags=["sessions"])


@router.post(
    "/create",
    operation_id="createSession",
    status_code=201,
    response_model=CreatedSession,
    responses=documented(KEY_REUSED, REQUEST_RUNNING, TOO_MANY_WEBHOOKS, *BEGINNING) | with_location(201),
    dependencies=[Depends(once_begun)],
)
async def create(
    asked: CreateSession,
    parts: UsedParts,
    owner: Owner,
    response: Response,
    key: IdempotencyKey,
) -> CreatedSession:
    """Create a session; it waits for `process-async` unless `start` is true.

    The `Idempotency-Key` is stored in the same write as the session: there is one, and each answer is that of the
    first, also when the session has moved on since.
    """
    session = intake.new_session(parts, owner, asked, intake.workflow_of(parts, asked))
    known_as = intake.idempotency(key, asked)
    created = await intake.store(parts, session, known_as, start=asked.start)
    response.headers["Location"] = created.url
    return created


@router.get("/", operation_id="listSessions", response_model=SessionPage, responses=documented())
@router.get("", include_in_schema=False, response_model=SessionPage)
async def page(
    parts: UsedParts,
    owner: Owner,
    status: Annotated[list[Status] | None, Query(description="One or several statuses")] = None,
    workflow: Annotated[str | None, Query(max_length=100, description="A workflow's name, or one version's id")] = None,
    created_after: Annotated[Moment | None, Query(alias="createdAfter", description="At this time or later")] = None,
    created_before: Annotated[Moment | None, Query(alias="createdBefore", description="Before this time")] = None,
    metadata: Annotated[
        list[MetadataFilter] | None, Query(max_length=10, description="`key:value`, all must match")
    ] = None,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("session-cursor")] = None,
) -> SessionPage:
    """List your sessions, newest first. All filters that are given must hold; a page's cursor keeps none of them."""
    wanted = Wanted(owner, status or (), workflow, created_after, created_before, metadata or ())
    found = await parts.sessions.page(wanted.filters(), read_cursor(after), limit + 1)
    sessions = [from_document(document) for document in found[:limit]]
    following = cursor(sessions[-1]) if len(found) > limit else None
    return SessionPage(items=[views.summary(session) for session in sessions], next_cursor=following)


@router.get(
    "/{sessionId}",
    operation_id="getSession",
    response_model=SessionAnswer,
    responses=documented(UNKNOWN_SESSION) | UNCHANGED,
)
async def show(
    session: Located, parts: UsedParts, response: Response, seen: IfNoneMatch = None
) -> SessionAnswer | Response:
    """Show a session with everything it found so far; its `ETag` changes with every transition."""
    tag = etag(views.state(session))
    if names(seen, tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return views.whole(session, sources_of(session, (await workflow_of(parts, session)).plan))


@router.get(
    "/{sessionId}/async-status",
    operation_id="getAsyncStatus",
    response_model=AsyncStatus,
    responses=documented(UNKNOWN_SESSION),
)
async def async_status(session: Located, parts: UsedParts) -> AsyncStatus:
    """Say how far a session is, what it costs, and what helps it on."""
    workflow = await workflow_of(parts, session)
    ledger = await parts.tasks.of_session(session.id)
    medians = await parts.around.medians()
    diagnosis = await examine(parts, session, ledger)
    gate = await gates.brief(parts, session, workflow)
    return status.async_status(session, ledger, workflow, diagnosis, medians, gate)
