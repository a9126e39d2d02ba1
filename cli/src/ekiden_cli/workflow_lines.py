"""A workflow as a person reads it: its mistakes, or what it does. Loads the whole checker: import it where needed."""

import os
from collections.abc import Iterator
from pathlib import Path

from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.prices import PriceList, read_prices
from ekiden.settings import add_providers
from ekiden.workflow.check import check
from ekiden.workflow.definition import Definition
from ekiden.workflow.package import Package, read_package
from ekiden.workflow.unpriced import unpriced
from ekiden_cli.wording import usd
from ekiden_cli.wrap import clean, pad


def mistakes_of(folder: Path) -> list[Mistake]:
    """What is wrong with a workflow, whose providers may be those that EKIDEN_PROVIDERS adds."""
    try:
        add_providers(os.environ.get("EKIDEN_PROVIDERS", ""))
    except ValueError as error:
        return [Mistake("EKIDEN_PROVIDERS", None, str(error))]
    try:
        check(read(folder))
    except WorkflowInvalid as error:
        return error.mistakes
    return []


def describe(package: Package) -> Iterator[str]:
    """What a workflow does, line by line."""
    definition = package.definition
    language = definition.languages[0]
    yield f"{package.id}  {clean(definition.title[language])}"
    yield f"  {clean(definition.description[language])}"
    for name, wanted in definition.inputs.items():
        choice = " | ".join(wanted.enum) if wanted.enum else "text"
        told = "required" if wanted.required else f"default {wanted.default or 'empty'}"
        yield f"  {name + ':':<10} {choice} ({told})"
    yield f"  languages: {', '.join(definition.languages)}"
    for number, phase in enumerate(definition.phases, 1):
        yield f"  {number} {pad(clean(phase.title[language]), 20)} {phase.name}"
        for position in definition.positions():
            if position.phase == number:
                step = definition.step(position)
                often = f", up to {step.at_most} at once" if step.for_each else ""
                yield f"      {position.step:<10} {step.provider:<11} at most {usd(step.cap_usd)} a call{often}"
    yield f"  At most {usd(_most(definition))} when every call costs its cap; budget {usd(definition.budget_usd)}."


def _most(definition: Definition) -> float:
    steps = [definition.step(position) for position in definition.positions()]
    return sum(step.cap_usd * (step.at_most if step.for_each else 1) for step in steps)


def read(folder: Path) -> Package:
    try:
        return read_package(folder)
    except UnicodeDecodeError as error:
        raise WorkflowInvalid(
            [Mistake(folder.name, None, f"holds a file that is not UTF-8: {error.reason}")]
        ) from error


def warnings_of(folder: Path) -> list[str]:
    """What is no mistake and worth knowing before it costs. Of a workflow that has none."""
    try:
        prices = read_prices(os.environ.get("EKIDEN_GPT_PRICES", ""))
    except ValueError as error:
        return [f"EKIDEN_GPT_PRICES: {error}"]
    return [*unpriced(read(folder).definition, PriceList(prices, os.environ.get("OPENAI_BASE_URL", "")))]


def mistake_lines(folder: Path, mistakes: list[Mistake]) -> Iterator[str]:
    if not mistakes:
        yield f"{folder}: no mistakes"
        return
    for mistake in mistakes:
        yield f"{folder}/{mistake}"
    yield f"{folder}: {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"


def verdict(folder: Path, mistakes: list[Mistake]) -> dict[str, object]:
    rows = [{"file": mistake.file, "line": mistake.line, "what": mistake.what} for mistake in mistakes]
    return {"folder": str(folder), "valid": not mistakes, "mistakes": rows}
