"""A workflow as a person reads it: its mistakes, what it does, its prompts. Loads the whole checker: import it late."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from ekiden.domain.ids import Position
from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.prices import PriceList, read_prices
from ekiden.retry import usual_policies, worst_case_calls
from ekiden.settings import add_providers
from ekiden.workflow.check import load
from ekiden.workflow.checks.money import worst_case_usd
from ekiden.workflow.definition import Definition, StepDefinition
from ekiden.workflow.package import Package
from ekiden.workflow.rehearsal import sample_request
from ekiden.workflow.unpriced import unpriced
from ekiden_cli.wording import usd
from ekiden_cli.wrap import clean, pad, wrap

LONGEST_LINE = 100


def checked(folder: Path, *, unused: bool = False) -> tuple[Package | None, list[Mistake]]:
    """A folder's workflow, or all that is wrong with it. Its providers may be those that EKIDEN_PROVIDERS adds."""
    try:
        add_providers(os.environ.get("EKIDEN_PROVIDERS", ""))
    except ValueError as error:
        return None, [Mistake("EKIDEN_PROVIDERS", None, str(error))]
    try:
        return load(folder, unused=unused), []
    except WorkflowInvalid as error:
        return None, error.mistakes


def describe(package: Package, width: int) -> Iterator[str]:
    """What a workflow does, drawn line by line."""
    definition = package.definition
    language, width = definition.languages[0], min(width, LONGEST_LINE)
    yield f"{package.id}  {clean(definition.title[language])}"
    yield from (f"  {line}" for line in wrap(clean(definition.description[language]), width - 2))
    for name, wanted in definition.inputs.items():
        choice = " | ".join(map(str, wanted.enum)) if wanted.enum else wanted.type
        told = "required" if wanted.required else f"default {wanted.default or 'empty'}"
        lines = wrap(f"{choice} ({told})", width - 13)
        yield from (f"  {f'{name}:' if not n else '':<10} {line}" for n, line in enumerate(lines))
    yield f"  languages: {', '.join(definition.languages)}"
    for number, phase in enumerate(definition.phases, 1):
        yield f"  {'┌' if number == 1 else '├'}─ {number} {clean(phase.title[language])} · {phase.name}"
        for position in definition.positions():
            if position.phase == number:
                yield from _step(definition, position, width)
        if number in definition.gates.pause_after_phases:
            yield "  │  ◇ waits for approval"
    fields = ", ".join(definition.drafts.fields)
    yield f"  └─ {definition.drafts.count} draft{'s' if definition.drafts.count > 1 else ''}"
    yield from (f"       {line}" for line in wrap(fields, width - 7))
    yield f"  At most {usd(_most(definition))} when every call costs its cap; budget {usd(definition.budget_usd)}."
    yield f"  {usd(worst_case_usd(definition))} when answers of the wrong form are asked for again, too."
    calls = worst_case_calls(definition.plan(usual_policies()))
    told = ", ".join(f"{number} of {provider}" for provider, number in calls.items() if number)
    yield f"  Paid calls if all goes as wrong as it can: {told}; the budget stops a session earlier."


def mermaid(package: Package) -> Iterator[str]:
    """The same as a Mermaid flowchart, for a README."""
    definition = package.definition
    language = definition.languages[0]
    yield "flowchart TD"
    earlier = None
    for number, phase in enumerate(definition.phases, 1):
        yield f'  subgraph P{number}["{number} {_quoted(phase.title[language])}"]'
        for position in definition.positions():
            if position.phase == number:
                step = definition.step(position)
                often = f"<br/>{step.for_each}, at most {step.at_most}" if step.for_each else ""
                yield f'    S{position.key}["{position.step}<br/>{_asked(step)}{often}"]'
        yield "  end"
    for position in definition.positions():
        if earlier is not None:
            waits = earlier.phase != position.phase and earlier.phase in definition.gates.pause_after_phases
            gated = waits or str(position) in definition.gates.pause_before
            yield f"  S{earlier.key} -->{'|approval|' if gated else ''} S{position.key}"
        earlier = position
    yield f'  S{earlier.key if earlier else ""} --> D(["{definition.drafts.count} drafts"])'


def prompts_of(package: Package, language: str, step: Position | None) -> Iterator[dict[str, object]]:
    """Every prompt, or that of one step, rendered on sample answers; `tokens` is about what its input will count."""
    for position in package.definition.positions():
        if step in (None, position):
            request = sample_request(package, position, language)
            system, user = str(request["system"]), str(request["user"])
            yield {"step": str(position), "system": system, "user": user, "tokens": about_tokens(system + user)}


def prompt_lines(prompts: list[dict[str, object]]) -> Iterator[str]:
    for prompt in prompts:
        yield f"── {prompt['step']} · about {prompt['tokens']} tokens on sample data ──"
        yield from ("[system]", clean(str(prompt["system"])), "[user]", clean(str(prompt["user"])), "")
    total = sum(int(str(prompt["tokens"])) for prompt in prompts)
    yield f"{len(prompts)} prompt{'s' if len(prompts) > 1 else ''}, about {total} tokens; nobody was called."


def about_tokens(text: str) -> int:
    """An estimate: four Latin characters a token, and one for each Japanese character."""
    latin = sum(character.isascii() for character in text)
    return math.ceil(latin / 4) + len(text) - latin


def _step(definition: Definition, position: Position, width: int) -> Iterator[str]:
    step = definition.step(position)
    if str(position) in definition.gates.pause_before:
        yield "  │  ◇ waits for approval"
    often = f", up to {step.at_most} at once" if step.for_each else ""
    said = f"at most {usd(step.cap_usd)} a call{often}"
    if step.for_each:
        said += f", one for each of {step.for_each}"
    first, *more = wrap(said, max(width - 44, 24))
    yield f"  │    {position.step:<10} {pad(_asked(step), 26)} {first}"
    yield from (f"  │    {'':<37} {line}" for line in more)


def _asked(step: StepDefinition) -> str:
    sources = [(step.provider, step.model), *((other.provider, other.model) for other in step.fallback)]
    return " → ".join(f"{provider} {model}" if model else str(provider) for provider, model in sources)


def _most(definition: Definition) -> float:
    steps = [definition.step(position) for position in definition.positions()]
    return sum(step.cap_usd * (step.at_most if step.for_each else 1) for step in steps)


def _quoted(text: str) -> str:
    return clean(text).replace('"', "#quot;")


def warnings_of(package: Package) -> list[str]:
    """What is no mistake and worth knowing before it costs."""
    try:
        prices = read_prices(os.environ.get("EKIDEN_GPT_PRICES", ""))
    except ValueError as error:
        return [f"EKIDEN_GPT_PRICES: {error}"]
    return [*unpriced(package.definition, PriceList(prices, os.environ.get("OPENAI_BASE_URL", "")))]


def mistake_lines(folder: Path, mistakes: list[Mistake]) -> Iterator[str]:
    if not mistakes:
        yield f"{folder}: no mistakes"
        return
    for mistake in mistakes:
        yield f"{folder}/{mistake}"
    yield f"{folder}: {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"


def verdict(folder: Path, mistakes: list[Mistake]) -> dict[str, object]:
    rows = [{"file": m.file, "line": m.line, "what": m.what, "suggestion": m.suggestion} for m in mistakes]
    return {"folder": str(folder), "valid": not mistakes, "mistakes": rows}
