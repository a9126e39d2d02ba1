"""The start form: made from the inputs of a workflow, with what a session will cost at most before it is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from fastapi import Response
from pydantic import ValidationError

from ekiden.domain.decider import decide
from ekiden.domain.forecast import forecast
from ekiden.domain.ids import SessionId
from ekiden.domain.messages import Start
from ekiden.domain.session import Money, Session
from ekiden.workflow.package import Workflow
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.catalogue import DEFAULT
from ekiden_gateway.kinds import INVALID, UNKNOWN_WORKFLOW
from ekiden_gateway.models.forecast import ForecastAnswer
from ekiden_gateway.models.requests import CreateSession
from ekiden_gateway.models.wire import micros
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
_NAMES = {"budgetUsd": "budget", "pauseAfterPhases": "pause_after", "pauseBefore": "pause_before"}


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in, and what is wrong with it, by field."""

    values: Mapping[str, list[str]]
    mistakes: Mapping[str, str]

    def value(self, name: str, otherwise: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else otherwise

    def has(self, name: str, value: str) -> bool:
        return value in self.values.get(name, [])


@router.get("/start")
async def form(parts: UsedParts, visitor: Known, workflow: str = DEFAULT) -> Response:
    return await _form(parts, visitor, _named(parts, workflow), Filled({}, {}))


@router.post("/start")
async def start(parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """Create a session and start it. What is wrong is said beside its field, with all else as it was filled in."""
    begun(parts)
    workflow = _named(parts, form.text("workflow") or DEFAULT)
    try:
        asked = CreateSession.model_validate(_asked(form, workflow))
        created = await routes.create(asked, parts, visitor.owner, Response(), form.key)
    except ValidationError as error:
        mistakes = {str(found["loc"][0]): str(found["msg"]) for found in error.errors()}
    except Problem as problem:
        if problem.kind is not INVALID:
            raise
        rows = cast("list[dict[str, str]]", problem.extra.get("errors", []))
        mistakes = {row["field"].split(".")[0]: row["message"] for row in rows}
    else:
        return go_to(f"/sessions/{created.session_id}")
    wrong = {_NAMES.get(name, name): message for name, message in mistakes.items()}
    return await _form(parts, visitor, workflow, Filled(form.fields, wrong), INVALID.status)


async def _form(parts: Parts, visitor: Visitor, workflow: Workflow, filled: Filled, code: int = 200) -> Response:
    known = views.workflow(workflow)
    language = visitor.words.language
    return page(
        visitor,
        "start.html.j2",
        code,
        here="sessions",
        workflow=known,
        title=in_language(known.title, language, known.name),
        description=in_language(known.description, language, ""),
        phases=[(phase, in_language(phase.title, language, phase.name)) for phase in known.phases],
        workflows=[
            (name, in_language(one.definition.title, language, name))
            for name, one in sorted(parts.catalogue.workflows.items())
        ],
        fan_outs=[str(step.position) for step in workflow.plan.steps if step.for_each is not None],
        budget=parts.settings.session_budget_usd or known.budget_usd,
        forecast=await _forecast(parts, visitor, workflow),
        filled=filled,
        key=new_key(),
    )


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


def _named(parts: Parts, name: str) -> Workflow:
    found = parts.catalogue.workflows.get(name)
    if found is None:
        raise Problem(UNKNOWN_WORKFLOW, f"There is no workflow {name[:100]}.")
    return found


def _asked(form: Form, workflow: Workflow) -> dict[str, object]:
    """As the body of `create`; what was left empty is left out."""
    inputs = {name: text for name in workflow.definition.inputs if (text := form.text(f"input-{name}"))}
    asked: dict[str, object] = {**inputs, "workflow": workflow.definition.name, "start": True}
    if language := form.text("language"):
        asked["language"] = language
    if budget := form.text("budget"):
        asked["budgetUsd"] = _number(budget)
    if gates := form.texts("pause_after"):
        asked["pauseAfterPhases"] = [int(gate) for gate in gates if gate.isdecimal() and len(gate) < 4]
    if gates := form.texts("pause_before"):
        asked["pauseBefore"] = gates
    return asked


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid("budgetUsd", "is no number") from None
