"""Render every prompt of a workflow with made-up answers, so that what cannot be rendered shows before it costs.

The answers are made from the workflow's own schemas: a field that no schema promises is unknown here as it will be
in a session. Every choice of an input, both lengths, missing searches and nulls are tried; of choices that would take
more than MOST_RENDERINGS the first ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from jinja2 import Template, TemplateError, TemplateNotFound

from ekiden.domain.ids import NOTHING, Position, SessionId, TaskName
from ekiden.domain.progress import Order
from ekiden.domain.session import InputValue, Money, Session, StepState
from ekiden.errors import Mistake
from ekiden.retry import usual_policies
from ekiden.workflow.definition import Definition
from ekiden.workflow.inputs import Input
from ekiden.workflow.package import Package
from ekiden.workflow.prompts import Prompts
from ekiden.workflow.samples import sample
from ekiden.workflow.sandbox import TooMuch

MOST_RENDERINGS = 20_000
_ID = SessionId("ses_" + "0" * 32)


def rehearse(package: Package, languages: Sequence[str]) -> Iterator[Mistake]:
    """Say which prompts fail to render and why, each once; in these languages all other checks have passed."""
    definition = package.definition
    plan = definition.plan(usual_policies())
    prompts = Prompts(definition, plan, package.templates, package.schemas)
    told: set[Mistake] = set()
    for session, position in islice(_situations(definition, package, languages), MOST_RENDERINGS):
        for index, item in enumerate(plan.items(position, session.results, session.edited)):
            order = Order(TaskName(_ID, position, 1, index), item, NOTHING)
            try:
                prompts.request(session, order)
            except Exception as error:  # a template may do anything, and whatever it raises is its author's
                wrong = _mistake(error, session, definition.step(position).prompt)
                if wrong not in told:
                    told.add(wrong)
                    yield wrong
                if isinstance(error, TooMuch):  # every further rendering would take as long
                    return


def plain_context(package: Package, position: Position, language: str) -> dict[str, object]:
    """The variables of a step's prompt with every earlier answer there and nothing missing."""
    prompts, session, item = _plainly(package, position, language)
    return prompts.context(session, position, item)


def sample_request(package: Package, position: Position, language: str) -> Mapping[str, object]:
    """The first request of a step as it would be sent, made from sample answers. The package has no mistakes."""
    prompts, session, item = _plainly(package, position, language)
    return prompts.request(session, Order(TaskName(_ID, position, 1, 0), item, NOTHING))


def _plainly(package: Package, position: Position, language: str) -> tuple[Prompts, Session, object]:
    definition = package.definition
    plan = definition.plan(usual_policies())
    places = definition.positions()
    earlier = places[: places.index(position)]
    steps = {place.key: _answered(definition, package, place, missing=False, nulls=False) for place in earlier}
    chosen = next(iter(_inputs(definition)))
    session = replace(_session(package, chosen, language), steps=steps)
    item = plan.items(position, session.results, session.edited)[0]
    return Prompts(definition, plan, package.templates, package.schemas), session, item


def _session(package: Package, chosen: Mapping[str, InputValue], language: str) -> Session:
    return Session(_ID, "", package.id, chosen, language, datetime(2026, 1, 1, tzinfo=UTC), Money(NOTHING))


def _situations(
    definition: Definition, package: Package, languages: Sequence[str]
) -> Iterator[tuple[Session, Position]]:
    answers = {
        (missing, nulls): {
            place.key: _answered(definition, package, place, missing=missing, nulls=nulls)
            for place in definition.positions()
        }
        for missing, nulls in ((False, False), (True, False), (True, True))
    }
    for chosen in _inputs(definition):
        for language in languages:
            session = _session(package, chosen, language)
            for number, position in enumerate(definition.positions()):
                earlier = [place.key for place in definition.positions()[:number]]
                for shorter, missing, nulls in ((0, False, False), (1, True, False), (0, True, True)):
                    steps = {key: answers[missing, nulls][key] for key in earlier}
                    yield replace(session, steps={**steps, position.key: StepState(shorter=shorter)}), position


def _inputs(definition: Definition) -> Iterator[Mapping[str, InputValue]]:
    """The inputs with their defaults, and again with every choice of each."""
    plain = {name: _input(given) for name, given in definition.inputs.items()}
    yield plain
    for name, given in definition.inputs.items():
        for choice in given.enum or ((True, False) if given.type == "boolean" else ()):
            yield {**plain, name: [str(choice)] if given.type == "list" else choice}


def _input(given: Input) -> InputValue:
    if given.default or given.type == "boolean":
        return given.default
    choice = given.enum[0] if given.enum else max(1, given.minimum) if given.type == "integer" else "text"
    return [str(choice)] if given.type == "list" else choice


def _answered(definition: Definition, package: Package, place: Position, *, missing: bool, nulls: bool) -> StepState:
    step = definition.step(place)
    if step.for_each is None:
        return StepState(result=sample(package.schemas[step.schema_name or ""], nulls=nulls))
    found = {"text": "text", "sources": [{"url": "https://a.example", "title": "text", "date": None}]}
    ordered = min(2, step.at_most)
    return StepState(result=[found] * (ordered - missing), missing=(ordered - 1,) if missing else ())


def _mistake(error: Exception, session: Session, prompt: str) -> Mistake:
    template, line = _where(error) or (f"{prompt}.md.j2", getattr(error, "lineno", None))
    what = f"there is no {error.name}" if isinstance(error, TemplateNotFound) else _words(error)
    return Mistake(f"prompts/{session.language}/{template}", line, f"cannot be rendered: {what}")


def _words(error: Exception) -> str:
    return str(error.message or error) if isinstance(error, TemplateError) else repr(error)


def _where(error: Exception) -> tuple[str, int] | None:
    """The innermost template on the way to an error, and its line there."""
    found: tuple[str, int] | None = None
    trace = error.__traceback__
    while trace is not None:
        # as jinja2.debug finds the template of a frame
        template: object = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template) and template.name is not None:
            found = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return found
