"""What is there and nobody reaches: templates, schemas, inputs, and steps whose paid answer nobody reads."""

from collections.abc import Iterator

from ekiden.errors import Mistake
from ekiden.workflow.checks.places import step_name, step_place, wrong
from ekiden.workflow.checks.prompts import Read
from ekiden.workflow.definition import Definition
from ekiden.workflow.package import Package


def check_unused(definition: Definition, package: Package, read: Read) -> Iterator[Mistake]:
    for language, templates in package.templates.items():
        for name in sorted(set(templates) - read.files.get(language, set())):
            yield Mistake(f"prompts/{language}/{name}", None, "no step and no other prompt uses it", "remove it")
    asked = {definition.step(position).schema_name for position in definition.positions()}
    for name in sorted(set(package.schemas) - {schema for schema in asked if schema is not None}):
        yield Mistake(f"schemas/{name}.json", None, "no step uses it", "remove it")
    used = read.paths | {step.for_each for p in definition.positions() if (step := definition.step(p)).for_each}
    used |= set(definition.drafts.fields.values())
    for position in definition.positions():
        name = step_name(definition, position)
        if not any(path == name or path.startswith(f"{name}.") for path in used):
            what = f"{name}: nobody reads its answer: no later prompt, for_each or draft names it"
            yield wrong(package, step_place(position), what, "use it, or remove the step")
    for name in definition.inputs:
        path = f"input.{name}"
        if path not in read.paths and name != "platform":
            yield wrong(package, ("inputs", name), f"inputs.{name}: no prompt uses {path}", "use it, or remove it")
