"""What a person says to a session on its page: each form goes through the API's own route."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, TypeVar, cast

from fastapi import Path, Response
from pydantic import TypeAdapter, ValidationError

from ekiden.domain.forecast import items
from ekiden.domain.messages import Cancel, Pause, Resume
from ekiden.domain.session import Session
from ekiden.workflow.package import Workflow
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.commands import workflow_of
from ekiden_gateway.kinds import NOT_FOUND
from ekiden_gateway.models.requests import ContinueSession, EditDraft, Recovery
from ekiden_gateway.models.sessions import CommandAnswer
from ekiden_gateway.models.wire import Asked
from ekiden_gateway.page.forms import Form, WrittenForm
from ekiden_gateway.page.offers import editable_item
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.screens.session import Shown
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.routes import commands, drafts, recovery

router = router()
_RECOVERY: TypeAdapter[Recovery] = TypeAdapter(Recovery)
A = TypeVar("A", bound=Asked)
_PLAIN = {"pause": Pause, "resume": Resume, "cancel": Cancel}


@router.post("/sessions/{sessionId}/say/{word}")
async def say(session: Shown, parts: UsedParts, form: WrittenForm, word: str) -> Response:
    """Say one of the doctor's verbs. Afterwards the browser looks at the session again, or at the new one."""
    begun(parts)
    match word:
        case "start":
            await commands.process_async(session, parts, form.key)
        case "continue":
            await commands.continue_async(
                session, parts, form.key, _continuation(session, await workflow_of(parts, session), form)
            )
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
    await drafts.edit_draft(session, parts, number, _checked(EditDraft, asked), Response(), form.text("seen") or None)
    return go_to(f"/sessions/{session.id}#draft-{number}")


def _continuation(session: Session, workflow: Workflow, form: Form) -> ContinueSession:
    asked: dict[str, object] = {}
    if budget := form.text("budget"):
        asked["budgetUsd"] = _number("budget", budget)
    if "item" in form.fields and (edited := _items(session, workflow, form)) is not None:
        asked["input"] = edited
    return _checked(ContinueSession, asked)


def _items(session: Session, workflow: Workflow, form: Form) -> list[object] | None:
    """The items as they were edited, without those that were emptied; None when all are as they were planned."""
    position = session.position
    if position is None or position not in workflow.plan.by_position:
        return None
    planned = items(session, position, workflow.plan)
    texts = [text.replace("\r\n", "\n").strip() for text in form.fields["item"]]
    if [text for text in texts if text] == [editable_item(item).text.strip() for item in planned]:
        return None
    blank: list[object] = [None] * len(texts)
    return [_edited(item, text) for item, text in zip([*planned, *blank], texts, strict=False) if text]


def _edited(planned: object, text: str) -> object:
    """With what else was planned of it, as far as that is text: the rest is filled in by its place."""
    if not isinstance(planned, Mapping):
        return text
    fields = cast("Mapping[str, object]", planned)
    return {name: value for name, value in fields.items() if isinstance(value, str) and value} | {"question": text}


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
        raise _mistakes(error) from error


def _checked(model: type[A], asked: dict[str, object]) -> A:
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise _mistakes(error) from error


def _mistakes(error: ValidationError) -> Problem:
    first = error.errors()[0]
    return invalid(".".join(str(part) for part in first["loc"]) or "form", first["msg"])


def _number(field: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise invalid(field, "is no number") from None
    if not isfinite(number):
        raise invalid(field, "is no number")
    return number
