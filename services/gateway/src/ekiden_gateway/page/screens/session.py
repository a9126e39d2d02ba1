"""One session: the relay, what it waits for and what helps, money, time, calls, drafts and history."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from starlette.responses import Response

from ekiden.domain.diagnosis import Diagnosis
from ekiden.domain.session import Session, Status
from ekiden.domain.title import title_of
from ekiden.store.database import Document
from ekiden.store.sessions import Standing
from ekiden.workflow.package import Workflow
from ekiden.workflow.sources import sources_of
from ekiden_gateway import access, gates
from ekiden_gateway.access import SessionPath, UsedParts
from ekiden_gateway.commands import examine, workflow_of
from ekiden_gateway.models.sessions import AsyncStatus
from ekiden_gateway.page.figures.axis import axis
from ekiden_gateway.page.figures.purse import purse
from ekiden_gateway.page.figures.relay import relay
from ekiden_gateway.page.forms import new_key
from ekiden_gateway.page.headline import headline, where_it_is
from ekiden_gateway.page.languages import in_language
from ekiden_gateway.page.offers import offers
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import router, streamed
from ekiden_gateway.page.visitor import Known, Listening, Visitor
from ekiden_gateway.parts import Parts
from ekiden_gateway.routes import events, tasks
from ekiden_gateway.views import drafts as draft_views
from ekiden_gateway.views import events as event_views
from ekiden_gateway.views import forecast as forecasts
from ekiden_gateway.views import session as views
from ekiden_gateway.views import status
from ekiden_gateway.views import tasks as task_views

router = router()
HISTORY = 200
"""Transitions that a page shows; the API has all of them."""


async def of_visitor(session_id: SessionPath, parts: UsedParts, visitor: Known) -> Session:
    return await access.located(session_id, parts, visitor.owner)


async def stands_for_visitor(session_id: SessionPath, parts: UsedParts, visitor: Known) -> Standing:
    return await access.standing(session_id, parts, visitor.owner)


Shown = Annotated[Session, Depends(of_visitor)]
ShownStanding = Annotated[Standing, Depends(stands_for_visitor)]


@router.get("/sessions/{sessionId}")
async def session(session: Shown, parts: UsedParts, visitor: Known) -> Response:
    found = await look(parts, session)
    return page(visitor, "session.html.j2", **shown(found, visitor))


@router.get("/sessions/{sessionId}/tasks/{taskId}")
async def task(
    session: Shown, parts: UsedParts, visitor: Known, task_id: Annotated[str, Path(alias="taskId", max_length=200)]
) -> Response:
    found = await tasks.one_task(session, parts, task_id)
    workflow = await workflow_of(parts, session)
    title = title_of(session.input, session.id)
    return page(visitor, "task.html.j2", task=found, session=views.summary(session), title=title, workflow=workflow)


@router.get("/sessions/{sessionId}/events")
async def live(
    request: Request,
    session_id: SessionPath,
    session: ShownStanding,
    parts: UsedParts,
    may_go_on: Listening,
    after: Annotated[int, Query(ge=-1, le=10**9)] = -1,
    last_event_id: Annotated[events.LastEventId | None, Header()] = None,
) -> Response:
    """The stream of the API, for a browser that has signed in."""
    return streamed(await events.events(request, session_id, session, parts, may_go_on, after, last_event_id))


@dataclass(frozen=True)
class Found:
    """All that a session's page is made of, read once."""

    session: Session
    workflow: Workflow
    ledger: list[Document]
    diagnosis: Diagnosis
    status: AsyncStatus
    drafts: list[Document]
    history: list[Document]


async def look(parts: Parts, session: Session) -> Found:
    """Read it all: a handful of queries, however many tasks there are."""
    workflow, ledger, medians, drafts, history = await asyncio.gather(
        workflow_of(parts, session),
        parts.tasks.of_session(session.id),
        parts.around.medians(),
        parts.drafts.of_session(session.id),
        parts.sessions.history(session.id, max(-1, session.version - HISTORY)),
    )
    diagnosis = await examine(parts, session, ledger)
    gate = await gates.brief(parts, session, workflow)
    found = status.async_status(session, ledger, workflow, diagnosis, medians, gate)
    return Found(session, workflow, ledger, diagnosis, found, drafts, history or [])


def shown(found: Found, visitor: Visitor) -> dict[str, object]:
    """What the template is given: models of the API, figures, and what can be done."""
    session, workflow, now = found.session, found.workflow, visitor.now
    simulated = found.status.simulated
    answer = draft_views.drafts(session, found.drafts, simulated=simulated)
    health = forecasts.health(session, found.diagnosis)
    tasks = [task_views.brief(row) for row in found.ledger]
    return {
        "here": "sessions",
        "session": views.whole(session, sources_of(session, workflow.plan)),
        "status": found.status,
        "title": title_of(session.input, session.id),
        "called": in_language(workflow.definition.title, visitor.words.language, workflow.definition.name),
        "where": where_it_is(session, workflow, visitor.words),
        "headline": headline(
            session, workflow, found.diagnosis, found.status.async_tasks, len(found.drafts), visitor.words
        ),
        "doctor": found.diagnosis,
        "offers": offers(session, workflow, health, found.status) if visitor.may_write else [],
        "legs": relay(session, workflow, found.ledger, now),
        "finished": session.status is Status.COMPLETED,
        "axis": axis(found.ledger, now),
        "purse": purse(found.status.cost),
        "tasks": tasks,
        "drafts": answer.drafts,
        "tags": {document["conceptNumber"]: draft_views.state(document) for document in found.drafts},
        "history": [event_views.entry(document) for document in reversed(found.history)],
        "key": new_key(),
    }
