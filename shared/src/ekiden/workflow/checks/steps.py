"""Steps: who is asked, with which parameters, and what an EXECUTE fans out over."""

from collections.abc import Iterator

from ekiden.domain.ids import Position, Step
from ekiden.domain.provider import Kind, Provider
from ekiden.errors import Mistake
from ekiden.workflow.checks.places import step_name, step_names, step_place, wrong
from ekiden.workflow.checks.schemas import list_fields
from ekiden.workflow.definition import Definition, StepDefinition
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.package import Package
from ekiden.workflow.params import PARAMS, wrong_params


def check_steps(definition: Definition, package: Package) -> Iterator[Mistake]:
    for position in definition.positions():
        step = definition.step(position)
        yield from _files(definition, package, position, step)
        yield from _asked(definition, package, position, step)
        yield from _params(package, position, step)
        yield from _fallback(package, position, step)
        if step.for_each is not None:
            yield from _fan_out(definition, package, position, step)
    yield from _gates(definition, package)


def _files(definition: Definition, package: Package, position: Position, step: StepDefinition) -> Iterator[Mistake]:
    place = step_name(definition, position)
    for language in definition.languages:
        there = package.templates.get(language, {})
        if f"{step.prompt}.md.j2" not in there:
            near = did_you_mean(step.prompt, (name.removesuffix(".md.j2") for name in there))
            file = f"prompts/{language}/{step.prompt}.md.j2"
            yield wrong(package, (*step_place(position), "prompt"), f"{place}.prompt: {file} is missing", near)
    if step.schema_name is not None and step.schema_name not in package.schemas:
        near = did_you_mean(step.schema_name, package.schemas)
        file = f"schemas/{step.schema_name}.json"
        yield wrong(package, (*step_place(position), "schema"), f"{place}.schema: {file} is missing", near)


def _asked(definition: Definition, package: Package, position: Position, step: StepDefinition) -> Iterator[Mistake]:
    name, place = step_name(definition, position), step_place(position)
    searches = step.provider.searches
    if not searches and step.schema_name is None:
        yield wrong(package, place, f"{name}: a {step.provider.upper()} step needs a schema for its answer")
    if searches and step.schema_name is not None:
        what = f"{name}: a search has no schema; the step after it gives its text a form"
        yield wrong(package, (*place, "schema"), what, "remove it")
    if (position.step is Step.EXECUTE) != searches:
        what = f"{name}: EXECUTE searches with {_named(Kind.SEARCH)}; THINK and INTEGRATE ask {_named(Kind.TEXT)}"
        yield wrong(package, (*place, "provider"), what)
    if position.step is Step.EXECUTE:
        if step.for_each is None:
            yield wrong(package, place, f"{name}: EXECUTE needs for_each, the list it fans out over")
    else:
        for key in ("for_each", "at_most", "min_success"):
            if key in step.model_fields_set and getattr(step, key) is not None:
                yield wrong(package, (*place, key), f"{name}.{key}: only EXECUTE fans out", "remove it")
    if not searches:
        for key in ("max_tool_calls", "max_steps", "cache_seconds"):
            if getattr(step, key) is not None:
                yield wrong(package, (*place, key), f"{name}.{key}: is for searches only", "remove it")
    if step.min_success is not None and step.min_success > step.at_most:
        what = f"{name}.min_success: {step.min_success} of at most {step.at_most} calls cannot succeed"
        yield wrong(package, (*place, "min_success"), what)


def _params(package: Package, position: Position, step: StepDefinition) -> Iterator[Mistake]:
    for name, why in wrong_params(step.provider, step.params):
        place = (*step_place(position), "params", name)
        if why:
            yield wrong(package, place, f"params.{name}: {why}")
        else:
            known = PARAMS.get(step.provider, {})
            near = did_you_mean(name, known) or f"known: {', '.join(known)}"
            yield wrong(package, place, f"params.{name}: {step.provider} takes no such parameter", near)


def _fallback(package: Package, position: Position, step: StepDefinition) -> Iterator[Mistake]:
    asked: list[tuple[Provider, str | None]] = [(step.provider, step.model)]
    for index, other in enumerate(step.fallback):
        place = (*step_place(position), "fallback", index)
        if other.provider.kind is not step.provider.kind:
            yield wrong(package, place, f"fallback: {other.provider} is no provider of a {step.provider.kind}")
        if (other.provider, other.model) in asked:
            yield wrong(package, place, f"fallback: entry {index + 1} asks whom an entry before it has asked already")
        asked.append((other.provider, other.model))


def _named(kind: Kind) -> str:
    return " or ".join(provider for provider in Provider if provider.kind is kind)


def _fan_out(definition: Definition, package: Package, position: Position, step: StepDefinition) -> Iterator[Mistake]:
    name, place = step_name(definition, position), (*step_place(position), "for_each")
    path, _, field = (step.for_each or "").rpartition(".")
    try:
        source = Position.parse(definition.step_key(path))
    except (KeyError, ValueError):
        near = did_you_mean(path, step_names(definition))
        yield wrong(package, place, f"{name}.for_each: there is no step {path!r}", near)
        return
    order = definition.positions()
    if order.index(source) >= order.index(position):
        yield wrong(package, place, f"{name}.for_each: {path!r} comes later")
        return
    source_schema = definition.step(source).schema_name
    if definition.step(source).provider.searches:
        yield wrong(package, place, f"{name}.for_each: {path!r} is a search, and its answers have no lists")
        return
    if source_schema is None or source_schema not in package.schemas:
        return  # said where that step is checked
    lists = list_fields(package.schemas[source_schema])
    if field not in lists:
        near = did_you_mean(field, lists) or f"lists: {', '.join(lists) or 'none'}"
        yield wrong(package, place, f"{name}.for_each: {path!r} has no list {field!r}", near)


def _gates(definition: Definition, package: Package) -> Iterator[Mistake]:
    for index, phase in enumerate(definition.gates.pause_after_phases):
        if not 1 <= phase < len(definition.phases):
            what = f"gates.pause_after_phases: {phase} is no phase that another follows"
            last = len(definition.phases) - 1
            near = f"a number from 1 to {last}" if last else "a workflow of one phase has none"
            yield wrong(package, ("gates", "pause_after_phases", index), what, near)
    known = [str(position) for position in definition.positions()]
    for index, step in enumerate(definition.gates.pause_before):
        if step not in known:
            near = did_you_mean(step, known) or f"steps: {', '.join(known)}"
            yield wrong(package, ("gates", "pause_before", index), f"gates.pause_before: there is no {step!r}", near)
