"""What a person says to a session on its page: each form goes through the API's own route."""

from math import isfinite
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import TypeAdapter, ValidationError

from ekiden.domain.forecast import items
from ekiden.domain.messages import Cancel, Pause, Resume
from ekiden.domain.session import Session
from ekiden.domain.title import title_of
from ekiden.domain.told import told
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.commands import workflow_of
from ekiden_gateway.kinds import NOT_FOUND
from ekiden_gateway.models.gate_requests import AnswerGate, CreateGateLink
from ekiden_gateway.models.requests import ContinueSession, EditDraft, Recovery
from ekiden_gateway.models.sessions import CommandAnswer
from ekiden_gateway.page.forms import Form, WrittenForm, checked, mistakes
from ekiden_gateway.page.items import edited_items
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.screens.session import Shown
from ekiden_gateway.page.visitor import Known
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.routes import commands, drafts, recovery
from ekiden_gateway.routes import gates as routes

router = router()
_RECOVERY: TypeAdapter[Recovery] = TypeAdapter(Recovery)
_PLAIN = {"pause": Pause, "resume": Resume, "cancel": Cancel}


@router.post("/sessions/{sessionId}/say/{word}")
async def say(session: Shown, parts: UsedParts, form: WrittenForm, word: str) -> Response:
    """Say one of the doctor's verbs. Afterwards the browser looks at the session again, or at the new one."""
    begun(parts)
    match word:
        case "start":
            await commands.process_async(session, parts, form.key)
        case "continue":
            await _pass(session, parts, form)
        case "pause" | "resume" | "cancel":
            await commands.Word(session, parts, form.key).say(_PLAIN[word])
        case "retry" | "restart_phase" | "restart_session" | "resolve" | "resolve_all":
            answer = Response()
            told = await recovery.recover(session, parts, _recovery(word, form), answer, form.key)
            if isinstance(told, CommandAnswer) and told.session_id != session.id:
                return go_to(f"/sessions/{told.session_id}")
        case _:
            raise Problem(NOT_FOUND)
    return go_to(f"/sessions/{session.id}")


@router.post("/sessions/{sessionId}/gate-link")
async def make_link(request: Request, session: Shown, parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """Make a link to the gate that the page has shown. Nothing is stored, so a reload makes another one like it."""
    holds = int(_number("expires", form.text("expires")))
    asked = checked(CreateGateLink, {"gate": form.text("gate"), "expiresInSeconds": holds})
    made = await routes.make_link(session, parts, request, Response(), asked)
    title = title_of(session.input, session.id)
    return page(visitor, "gate_link_made.html.j2", here="sessions", link=made, session_id=session.id, title=title)


@router.post("/sessions/{sessionId}/drafts/{conceptNumber}")
async def edit(
    session: Shown,
    parts: UsedParts,
    form: WrittenForm,
    number: Annotated[int, Path(alias="conceptNumber", ge=1, le=100)],
) -> Response:
    """Change of a draft what was changed in its form; somebody else's change since then is not overwritten."""
    asked: dict[str, object] = {}
    if form.text("status") != form.text("status_before"):
        asked["status"] = form.text("status")
    if "original" in form.fields:
        asked["editedContent"] = None
    elif form.whole("content") != form.whole("content_before"):
        asked["editedContent"] = form.whole("content")
    if not asked:
        return go_to(f"/sessions/{session.id}#draft-{number}")
    await drafts.edit_draft(session, parts, number, checked(EditDraft, asked), Response(), form.text("seen") or None)
    return go_to(f"/sessions/{session.id}#draft-{number}")


async def _pass(session: Session, parts: Parts, form: Form) -> None:
    """Pass the gate that the page has shown, or wait no more for a higher budget. No other gate is ever passed."""
    edited: list[object] | None = None
    if "item" in form.fields and session.position is not None:
        plan = (await workflow_of(parts, session)).plan
        edited = edited_items(items(session, session.position, plan), form)
    if gate := form.text("gate"):
        asked = {"gate": gate, "decision": "approve" if edited is None else "edit", "input": edited}
        await routes.answer(session, parts, checked(AnswerGate, asked), form.key)
        return
    wait: dict[str, object] = {}
    if budget := form.text("budget"):
        wait["budgetUsd"] = _number("budget", budget)
    await commands.continue_async(session, parts, form.key, checked(ContinueSession, wait))


def _recovery(word: str, form: Form) -> Recovery:
    asked: dict[str, object] = {"action": word}
    match word:
        case "restart_phase":
            asked |= {"phaseNumber": int(_number("phase", form.text("phase"))), "fresh": bool(form.text("fresh"))}
        case "resolve":
            asked |= {"taskId": form.text("task"), "decision": form.text("decision")}
            if form.text("decision") == "attach" and form.text("run"):
                asked["runId"] = form.text("run")
        case "resolve_all":
            asked["decision"] = form.text("decision")
        case _:
            pass
    try:
        return _RECOVERY.validate_python(asked)
    except ValidationError as error:
        raise mistakes(error) from error


def _number(field: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise invalid(field, told("is no number")) from None
    if not isfinite(number):
        raise invalid(field, told("is no number"))
    return number
