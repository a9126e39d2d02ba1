"""`ekiden workflow`: find the mistakes of a workflow before anything runs or costs, and show what it does."""

from pathlib import Path
from typing import Annotated

import typer

from ekiden_cli.commands.options import Json, leave
from ekiden_cli.completion import workflow_folders
from ekiden_cli.errors import Exit, NotThere
from ekiden_cli.terminal import Terminal

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
    from ekiden_cli.workflow_lines import mistake_lines, mistakes_of, verdict, warnings_of  # slow to load

    terminal = Terminal(as_json)
    found = {folder: mistakes_of(find_folder(folder)) for folder in folders}
    if as_json:
        terminal.give(
            [
                verdict(folder, mistakes) | {"warnings": [] if mistakes else warnings_of(find_folder(folder))}
                for folder, mistakes in found.items()
            ]
        )
    else:
        for folder, mistakes in found.items():
            for line in mistake_lines(folder, mistakes):
                terminal.say(line)
            for warning in () if mistakes else warnings_of(find_folder(folder)):
                terminal.say(f"{folder}: warning: {warning}")
    leave(Exit.FAILED if any(found.values()) else Exit.OK)


@app.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Show the phases of a workflow, who is called in each, and the most it may cost."""
    from ekiden_cli.workflow_lines import describe, mistakes_of, read, verdict  # as above

    terminal = Terminal(as_json)
    place = find_folder(folder)
    if mistakes := mistakes_of(place):
        if as_json:
            terminal.give(verdict(folder, mistakes))
        for mistake in mistakes:
            terminal.say(f"{folder}/{mistake}")
        leave(Exit.FAILED)
        return
    package = read(place)
    if as_json:
        terminal.give({"id": package.id, **package.definition.model_dump(mode="json", by_alias=True)})
    else:
        for line in describe(package):
            terminal.say(line)


def find_folder(folder: Path) -> Path:
    """The folder itself, or the one of that name below workflows/. Raises NotThere."""
    for place in (folder, Path("workflows") / folder):
        if place.is_dir():
            return place
    raise NotThere(f"There is no folder {folder}.", help="Name the folder that holds workflow.yaml.")
