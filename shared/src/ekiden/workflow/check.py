"""Find every mistake of a workflow without calling anyone. What passes here can be rendered and sent."""

from pathlib import Path

from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.workflow.checks.drafts import check_drafts
from ekiden.workflow.checks.money import check_money
from ekiden.workflow.checks.prompts import check_prompts, check_syntax
from ekiden.workflow.checks.schemas import check_schemas
from ekiden.workflow.checks.steps import check_steps
from ekiden.workflow.checks.texts import check_texts
from ekiden.workflow.checks.unused import check_unused
from ekiden.workflow.package import Package, read_folder
from ekiden.workflow.rehearsal import rehearse


def load(folder: Path, *, unused: bool = False) -> Package:
    """Read a folder and check it. Raises WorkflowInvalid with all that is wrong with it, at once.

    `unused` finds also what nobody reaches: it costs money or attention, but it runs, so services start with it.
    """
    package, unreadable = read_folder(folder)
    mistakes = sorted([*unreadable, *_of_what_could_be_read(package, unreadable, unused=unused)], key=_place)
    if mistakes:
        raise WorkflowInvalid(mistakes)
    return package


def check(package: Package) -> None:
    """Raise WorkflowInvalid with all mistakes at once, or return."""
    if mistakes := sorted(mistakes_of(package), key=_place):
        raise WorkflowInvalid(mistakes)


def mistakes_of(package: Package, *, unused: bool = False) -> list[Mistake]:
    """All mistakes. What rests on a part that is broken itself is not looked at: it would only echo that."""
    schemas, syntax = [*check_schemas(package)], [*check_syntax(package)]
    try:
        definition = package.definition
    except WorkflowInvalid as error:
        return [*schemas, *syntax, *error.mistakes]
    steps = [*check_steps(definition, package)]
    document = [*check_texts(definition, package), *check_money(definition, package)]
    document += check_drafts(definition, package)
    found = [*schemas, *syntax, *steps, *document]
    if schemas or steps:
        return found
    read, wrong = check_prompts(definition, package)
    told = {(mistake.file, mistake.line) for mistake in syntax}
    wrong = [mistake for mistake in wrong if (mistake.file, mistake.line) not in told]
    if unused and not syntax and not wrong:
        found += check_unused(definition, package, read)
    if not document:
        known = told | {(mistake.file, mistake.line) for mistake in wrong}
        wrong += [mistake for mistake in rehearse(package) if (mistake.file, mistake.line) not in known]
    return found + wrong


def _of_what_could_be_read(package: Package, unreadable: list[Mistake], *, unused: bool) -> list[Mistake]:
    """A file that could not be read is not missing."""
    gone = {mistake.file for mistake in unreadable}
    if not package.document:
        return [*check_schemas(package), *check_syntax(package)]
    found = mistakes_of(package, unused=unused)
    return [mistake for mistake in found if not any(f"{file} is missing" in mistake.what for file in gone)]


def _place(mistake: Mistake) -> tuple[bool, str, int]:
    return (mistake.file != "workflow.yaml", mistake.file, mistake.line or 0)
