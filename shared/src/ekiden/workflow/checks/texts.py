"""Texts in every language, names that are free, inputs and platforms that fit together."""

from collections.abc import Iterator, Mapping

from ekiden.errors import Mistake
from ekiden.workflow.checks.places import wrong
from ekiden.workflow.definition import Definition
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.lines import Place
from ekiden.workflow.package import Package
from ekiden.workflow.prompts import ALWAYS

_TEXT_INPUTS = frozenset({"theme", "expertise", "style", "platform"})
"""Inputs that `create` has as texts, whatever the workflow."""
_WISHES = frozenset(
    {
        *("workflow", "language", "autoAdvance", "pauseAfterPhases", "pauseBefore", "gateTimeout"),
        *("budgetUsd", "webhookUrl", "metadata", "start"),
    }
)
"""What `create` takes beside the inputs."""


def check_texts(definition: Definition, package: Package) -> Iterator[Mistake]:
    texts: dict[Place, Mapping[str, str]] = {("title",): definition.title, ("description",): definition.description}
    texts |= {("phases", index, "title"): phase.title for index, phase in enumerate(definition.phases)}
    texts |= {("platforms", name, "notes"): one.notes for name, one in definition.platforms.items() if one.notes}
    for place, text in texts.items():
        named = place if place[0] != "phases" else ("phases", definition.phases[int(place[1])].name, "title")
        for language in definition.languages:
            if not text.get(language, "").strip():
                yield wrong(package, place, f"{'.'.join(map(str, named))} has no text in {language!r}")
        for language in sorted(set(text) - set(definition.languages)):
            near = did_you_mean(language, definition.languages) or f"languages: {', '.join(definition.languages)}"
            what = f"{'.'.join(map(str, named))}: {language!r} is none of the workflow's languages"
            yield wrong(package, (*place, language), what, near)
    yield from _names(definition, package)
    yield from _inputs(definition, package)


def _names(definition: Definition, package: Package) -> Iterator[Mistake]:
    seen: set[str] = set(ALWAYS)
    for index, phase in enumerate(definition.phases):
        if phase.name in seen:
            why = "every template has it as a variable" if phase.name in ALWAYS else "an earlier phase has it"
            yield wrong(package, ("phases", index, "name"), f"phases: the name {phase.name!r} is taken: {why}")
        seen.add(phase.name)
    for index, language in enumerate(definition.languages):
        if language in definition.languages[:index]:
            yield wrong(package, ("languages", index), f"languages: {language!r} is given twice")
    for language in sorted(set(package.templates) - set(definition.languages)):
        near = did_you_mean(language, definition.languages) or "add it to languages, or remove the folder"
        yield Mistake(f"prompts/{language}", None, "is none of the workflow's languages", near)


def _inputs(definition: Definition, package: Package) -> Iterator[Mistake]:
    for name, given in definition.inputs.items():
        if name in _TEXT_INPUTS and given.type != "string":
            yield wrong(package, ("inputs", name), f"inputs.{name}: is a text in every workflow: type string")
        if name in _WISHES:
            yield wrong(package, ("inputs", name), f"inputs.{name}: `create` has a field of that name: choose another")
    chosen = definition.inputs.get("platform")
    if not definition.platforms:
        return
    if chosen is None or chosen.enum is None:
        yield wrong(package, ("platforms",), "platforms: nothing chooses one: give inputs a `platform` with an enum")
        return
    for name in sorted(set(definition.platforms) - set(map(str, chosen.enum))):
        near = did_you_mean(name, map(str, chosen.enum))
        yield wrong(package, ("platforms", name), f"platforms.{name}: no choice of inputs.platform", near)
    for name in map(str, chosen.enum):
        if name not in definition.platforms:
            near = did_you_mean(name, definition.platforms)
            what = f"inputs.platform: {name!r} has no conventions in platforms"
            yield wrong(package, ("inputs", "platform", "enum"), what, near)
    for name, platform in definition.platforms.items():
        fewest, most = platform.hashtags
        if not 0 <= fewest <= most:
            what = f"platforms.{name}.hashtags: is [fewest, most], and {fewest} is above {most} or below 0"
            yield wrong(package, ("platforms", name, "hashtags"), what)
