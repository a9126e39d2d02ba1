"""Find every mistake of a workflow without calling anyone. What passes here can be rendered and sent."""

from collections.abc import Callable, Collection, Iterable, Iterator
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
from ekiden.workflow.unforeseen import unforeseen


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
    """All mistakes. What rests on a part that is broken itself is not looked at: it would only echo that.

    Never raises: a bug of the check itself is one mistake, too.
    """
    schemas, syntax = _of_schemas(package), _of_syntax(package)
    try:
        definition = package.definition
    except WorkflowInvalid as error:
        return [*schemas, *syntax, *error.mistakes]
    except Exception as error:
        return [*schemas, *syntax, unforeseen("workflow.yaml", error)]
    steps = _found("workflow.yaml", lambda: check_steps(definition, package))
    unsound = {mistake.file for mistake in [*schemas, *syntax]}
    document = [
        *_found("workflow.yaml", lambda: check_texts(definition, package)),
        *_found("workflow.yaml", lambda: check_money(definition, package)),
        *_found("workflow.yaml", lambda: check_drafts(definition, package, unsound)),
    ]
    found = [*schemas, *syntax, *steps, *document]
    if schemas or steps:
        return found
    return found + _found("prompts", lambda: _of_prompts(package, unsound, rehearsed=not document, unused=unused))


def _of_schemas(package: Package) -> list[Mistake]:
    return _found("schemas", lambda: check_schemas(package))


def _of_syntax(package: Package) -> list[Mistake]:
    return _found("prompts", lambda: check_syntax(package))


def _of_prompts(package: Package, unsound: Collection[str], *, rehearsed: bool, unused: bool) -> Iterator[Mistake]:
    definition = package.definition
    read, wrong = check_prompts(definition, package, unsound)
    yield from wrong
    if unused and not unsound and not wrong:
        yield from check_unused(definition, package, read)
    if rehearsed:
        known = {(mistake.file, mistake.line) for mistake in wrong}
        sound = [language for language in definition.languages if not any(_speaks(file, language) for file in unsound)]
        yield from (found for found in rehearse(package, sound) if (found.file, found.line) not in known)


def _speaks(file: str, language: str) -> bool:
    return file.startswith(f"prompts/{language}/")


def _found(file: str, look: Callable[[], Iterable[Mistake]]) -> list[Mistake]:
    """What a check finds, and at its end the bug that ended it; `file` is what it looks at."""
    found: list[Mistake] = []
    try:
        for mistake in look():
            found.append(mistake)  # noqa: PERF402 - what was found before a bug is told with it
    except Exception as error:
        found.append(unforeseen(file, error))
    return found


def _of_what_could_be_read(package: Package, unreadable: list[Mistake], *, unused: bool) -> list[Mistake]:
    """A file that could not be read is not missing."""
    gone = {mistake.file for mistake in unreadable}
    if not package.document:
        return [*_of_schemas(package), *_of_syntax(package)]
    found = mistakes_of(package, unused=unused)
    return [mistake for mistake in found if not any(f"{file} is missing" in mistake.what for file in gone)]


def _place(mistake: Mistake) -> tuple[bool, str, int]:
    return (mistake.file != "workflow.yaml", mistake.file, mistake.line or 0)
