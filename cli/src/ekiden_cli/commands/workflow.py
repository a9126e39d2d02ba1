"""`ekiden workflow`: find the mistakes of a workflow before anything runs or costs, and show what it does."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ekiden_cli.commands.options import Json, leave
from ekiden_cli.completion import workflow_folders
from ekiden_cli.errors import Exit, NotThere
from ekiden_cli.terminal import Terminal

if TYPE_CHECKING:
    from ekiden.workflow.package import Package

app = typer.Typer(no_args_is_help=True, help="Check and show workflows; nothing is called and nothing runs.")
Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOLDER…", help="Workflow folders, or names below workflows/.", autocompletion=workflow_folders
    ),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="A workflow folder, or a name below workflows/.", autocompletion=workflow_folders
    ),
]


@app.command("check")
def check_workflows(folders: Folders, as_json: Json = False) -> None:
    """Print every mistake of workflows, and end with 1 when there is one. Models without a price are warned of."""
    from ekiden_cli.workflow_lines import checked, mistake_lines, verdict, warnings_of  # slow to load

    terminal = Terminal(as_json)
    found = {folder: checked(find_folder(folder), unused=True) for folder in folders}
    warnings = {folder: warnings_of(package) if package else [] for folder, (package, _) in found.items()}
    if as_json:
        rows = [verdict(folder, wrong) | {"warnings": warnings[folder]} for folder, (_, wrong) in found.items()]
        terminal.give(rows)
    else:
        for folder, (_, wrong) in found.items():
            for line in mistake_lines(folder, wrong):
                terminal.say(line)
            for warning in warnings[folder]:
                terminal.say(f"{folder}: warning: {warning}")
    leave(Exit.FAILED if any(wrong for _, wrong in found.values()) else Exit.OK)


@app.command()
def show(
    folder: Folder,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Draw the phases of a workflow, who is called in each, and the most it may cost."""
    from ekiden_cli.workflow_lines import describe, mermaid  # as above

    terminal = Terminal(as_json)
    package = _sound(folder, terminal)
    if as_json:
        terminal.give({"id": package.id, **package.definition.model_dump(mode="json", by_alias=True)})
        return
    for line in mermaid(package) if as_mermaid else describe(package, terminal.out.width):
        terminal.say(line)


@app.command("dry-run")
def dry_run(
    folder: Folder,
    language: Annotated[str | None, typer.Option(help="In which language; the workflow's first if left out.")] = None,
    step: Annotated[str | None, typer.Option(help="Only this step, as 4.INTEGRATE.")] = None,
    as_json: Json = False,
) -> None:
    """Render every prompt on sample answers, with about how many tokens it has. Nobody is called."""
    from ekiden_cli.workflow_lines import prompt_lines, prompts_of  # as above

    terminal = Terminal(as_json)
    package = _sound(folder, terminal)
    definition = package.definition
    if language is not None and language not in definition.languages:
        raise typer.BadParameter(f"choose one of {', '.join(definition.languages)}", param_hint="--language")
    known = {str(position): position for position in definition.positions()}
    if step is not None and step.upper() not in known:
        raise typer.BadParameter(f"choose one of {', '.join(known)}", param_hint="--step")
    prompts = list(prompts_of(package, language or definition.languages[0], known[step.upper()] if step else None))
    if as_json:
        terminal.give(prompts)
        return
    for line in prompt_lines(prompts):
        terminal.say(line)


def _sound(folder: Path, terminal: Terminal) -> "Package":
    """The folder's workflow; ends the command with its mistakes when it has some."""
    from ekiden_cli.workflow_lines import checked, verdict  # as above

    package, mistakes = checked(find_folder(folder))
    if package is None:
        if terminal.as_json:
            terminal.give(verdict(folder, mistakes))
        for mistake in mistakes:
            terminal.say(f"{folder}/{mistake}")
        raise typer.Exit(Exit.FAILED)
    return package


def find_folder(folder: Path) -> Path:
    """The folder itself, or the one of that name below workflows/. Raises NotThere."""
    for place in (folder, Path("workflows") / folder):
        if os.path.isdir(place):  # Path.is_dir raises OSError for a name that is too long
            return place
    raise NotThere(f"There is no folder {folder}.", help="Name the folder that holds workflow.yaml.")
