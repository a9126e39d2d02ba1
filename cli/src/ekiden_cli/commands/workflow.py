"""`ekiden workflow`: find the mistakes of a workflow before anything runs or costs, and show what it does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ekiden.domain.plan import Provider
from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.workflow.check import check
from ekiden.workflow.definition import Definition
from ekiden.workflow.package import Package, read_package
from ekiden_cli.commands.options import Json, leave
from ekiden_cli.errors import Exit, NotThere
from ekiden_cli.terminal import Terminal
from ekiden_cli.wording import usd
from ekiden_cli.wrap import clean, pad

app = typer.Typer(no_args_is_help=True, help="Check and show workflows; nothing is called and nothing runs.")
Folders = Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Workflow folders, or names below workflows/.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A workflow folder, or a name below workflows/.")]

_MARKS = {Provider.GPT: "GPT", Provider.PERPLEXITY: "Perplexity"}


@app.command("check")
def check_workflows(folders: Folders, as_json: Json = False) -> None:
    """Print every mistake of workflows, and end with 1 when there is one."""
    terminal = Terminal(as_json)
    found = {folder: mistakes_of(find_folder(folder)) for folder in folders}
    if as_json:
        terminal.give([_verdict(folder, mistakes) for folder, mistakes in found.items()])
    else:
        for folder, mistakes in found.items():
            for line in _lines(folder, mistakes):
                terminal.say(line)
    leave(Exit.FAILED if any(found.values()) else Exit.OK)


@app.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Show the phases of a workflow, who is called in each, and the most it may cost."""
    terminal = Terminal(as_json)
    place = find_folder(folder)
    try:
        package = _read(place)
        definition = package.definition
    except WorkflowInvalid as error:
        for mistake in error.mistakes:
            terminal.say(f"{folder}/{mistake}")
        leave(Exit.FAILED)
        return
    if as_json:
        terminal.give({"id": package.id, **definition.model_dump(mode="json", by_alias=True)})
    else:
        for line in describe(package):
            terminal.say(line)


def find_folder(folder: Path) -> Path:
    """The folder itself, or the one of that name below workflows/. Raises NotThere."""
    for place in (folder, Path("workflows") / folder):
        if place.is_dir():
            return place
    raise NotThere(f"There is no folder {folder}.", help="Name the folder that holds workflow.yaml.")


def mistakes_of(folder: Path) -> list[Mistake]:
    try:
        check(_read(folder))
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
                yield f"      {position.step:<10} {_MARKS[step.provider]:<11} at most {usd(step.cap_usd)} a call{often}"
    yield f"  At most {usd(_most(definition))} when every call costs its cap; budget {usd(definition.budget_usd)}."


def _most(definition: Definition) -> float:
    steps = [definition.step(position) for position in definition.positions()]
    return sum(step.cap_usd * (step.at_most if step.for_each else 1) for step in steps)


def _read(folder: Path) -> Package:
    try:
        return read_package(folder)
    except UnicodeDecodeError as error:
        raise WorkflowInvalid(
            [Mistake(folder.name, None, f"holds a file that is not UTF-8: {error.reason}")]
        ) from error


def _lines(folder: Path, mistakes: list[Mistake]) -> Iterator[str]:
    if not mistakes:
        yield f"{folder}: no mistakes"
        return
    for mistake in mistakes:
        yield f"{folder}/{mistake}"
    yield f"{folder}: {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"


def _verdict(folder: Path, mistakes: list[Mistake]) -> dict[str, object]:
    rows = [{"file": mistake.file, "line": mistake.line, "what": mistake.what} for mistake in mistakes]
    return {"folder": str(folder), "valid": not mistakes, "mistakes": rows}
