"""The start form: made from the inputs of a workflow, with what a session will cost at most before it is started."""

import re
from collections.abc import Collection

from fastapi import Response
from pydantic import ValidationError

from ekiden.domain.decider import decide
from ekiden.domain.forecast import forecast
from ekiden.domain.ids import Position, SessionId
from ekiden.domain.messages import Start
from ekiden.domain.plan import StepPlan
from ekiden.domain.session import InputValue, Money, Session
from ekiden.domain.told import told
from ekiden.workflow.inputs import Input
from ekiden.workflow.package import Workflow
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.catalogue import DEFAULT
from ekiden_gateway.kinds import INVALID, UNKNOWN_WORKFLOW
from ekiden_gateway.models.forecast import ForecastAnswer
from ekiden_gateway.models.requests import CreateSession
from ekiden_gateway.models.wire import micros
from ekiden_gateway.page.filled import Filled, mistaken
from ekiden_gateway.page.forms import Form, WrittenForm, new_key
from ekiden_gateway.page.languages import in_language
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import Known, Visitor
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid
from ekiden_gateway.routes import sessions as routes
from ekiden_gateway.views import forecast as forecasts
from ekiden_gateway.views import workflow as views

router = router()
_INTEGER = re.compile(r"-?[0-9]{1,16}", re.ASCII)
NAMES = {"budgetUsd": "budget", "pauseAfterPhases": "pause_after", "pauseBefore": "pause_before"}


@router.get("/start")
async def form(parts: UsedParts, visitor: Known, workflow: str = DEFAULT) -> Response:
    found = named(parts, workflow)
    return await _form(parts, visitor, found, Filled(gates(found), {}))


@router.post("/start")
async def start(parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """Create a session and start it. What is wrong is said beside its field, with all else as it was filled in."""
    begun(parts)
    workflow = named(parts, form.text("workflow") or DEFAULT)
    try:
        wished = CreateSession.model_validate(asked(form, workflow) | {"start": True})
        created = await routes.create(wished, parts, visitor.owner, Response(), form.key)
    except (ValidationError, Problem) as error:
        found = {name.split(".")[0]: message for name, message in mistaken(error).items()}
        wrong = {NAMES.get(name, name): message for name, message in found.items()}
        return await _form(parts, visitor, workflow, Filled(form.fields, wrong, posted=True), INVALID.status)
    return go_to(f"/sessions/{created.session_id}")


async def _form(parts: Parts, visitor: Visitor, workflow: Workflow, filled: Filled, code: int = 200) -> Response:
    return page(
        visitor,
        "start.html.j2",
        code,
        here="sessions",
        **wishes(parts, visitor, workflow),
        forecast=await _forecast(parts, visitor, workflow),
        filled=filled,
        key=new_key(),
    )


def wishes(
    parts: Parts, visitor: Visitor, workflow: Workflow, set_before: Collection[Position] = ()
) -> dict[str, object]:
    """What the fields of a session to come are made of; gates before `set_before` are among them."""
    known = views.workflow(workflow)
    language = visitor.words.language
    return {
        "workflow": known,
        "title": in_language(known.title, language, known.name),
        "description": in_language(known.description, language, ""),
        "phases": [(phase, in_language(phase.title, language, phase.name)) for phase in known.phases],
        "workflows": [
            (name, in_language(one.definition.title, language, name))
            for name, one in sorted(parts.catalogue.workflows.items())
        ],
        "stops": stops(workflow, set_before),
        "budget": parts.settings.session_budget_usd or known.budget_usd,
    }


def stops(workflow: Workflow, set_before: Collection[Position] = ()) -> list[StepPlan]:
    """The steps that a form offers a gate before: the searches, and those that have one already."""
    usual = workflow.definition.gates.pause_before
    return [
        step
        for step in workflow.plan.steps
        if step.for_each is not None or step.position in set_before or str(step.position) in usual
    ]


async def _forecast(parts: Parts, visitor: Visitor, workflow: Workflow) -> ForecastAnswer:
    """Of any session of the workflow: what it costs is in the plan, whatever it is about."""
    blank = Session(
        id=SessionId("ses_" + "0" * 32),
        owner=visitor.owner,
        workflow=workflow.id,
        input={},
        language=visitor.words.language,
        created_at=visitor.now,
        money=Money(budget=micros(workflow.definition.budget_usd)),
    )
    decision = decide(blank, Start(visitor.now), workflow.plan)
    return forecasts.forecast(forecast(decision, workflow.plan, await parts.around.medians()))


def named(parts: Parts, name: str) -> Workflow:
    found = parts.catalogue.workflows.get(name)
    if found is None:
        raise Problem(UNKNOWN_WORKFLOW, f"There is no workflow {name[:100]}.")
    return found


def asked(form: Form, workflow: Workflow) -> dict[str, object]:
    """As the body of `create`; what was left empty is left out."""
    asked: dict[str, object] = {"workflow": workflow.definition.name}
    for name, field in workflow.definition.inputs.items():
        text = form.text(f"input-{name}")
        if text or field.type == "boolean":
            asked[name] = _typed(text, field)
    if language := form.text("language"):
        asked["language"] = language
    if budget := form.text("budget"):
        asked["budgetUsd"] = _number(budget)
    usual = gates(workflow)
    if set(after := form.texts("pause_after")) != set(usual["pause_after"]):
        asked["pauseAfterPhases"] = [int(gate) for gate in after if gate.isdecimal() and len(gate) < 4]
    if set(before := form.texts("pause_before")) != set(usual["pause_before"]):
        asked["pauseBefore"] = before
    return asked


def _typed(text: str, field: Input) -> object:
    """What was written into a form as the type it stands for; what is no number stays a text, and is refused."""
    if field.type == "boolean":
        return bool(text)
    if field.type == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.type == "integer" and _INTEGER.fullmatch(text.strip()):
        return int(text)
    return text


def written(value: InputValue) -> str:
    """An input as its field of a form holds it."""
    if isinstance(value, list):
        return "\n".join(value)
    if isinstance(value, bool):
        return "on" if value else ""
    return str(value)


def gates(workflow: Workflow) -> dict[str, list[str]]:
    """The gates of a form that nobody has touched yet: the workflow's."""
    said = workflow.definition.gates
    return {"pause_after": [str(phase) for phase in said.pause_after_phases], "pause_before": list(said.pause_before)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid("budgetUsd", told("is no number")) from None
