"""Prompts: they can be parsed, have both blocks, and use only what earlier steps provide."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from jinja2 import TemplateSyntaxError, nodes

from ekiden.errors import Mistake
from ekiden.workflow.definition import Definition
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.package import Package
from ekiden.workflow.prompts import environment
from ekiden.workflow.provided import Reader
from ekiden.workflow.rehearsal import plain_context
from ekiden.workflow.sandbox import Sandbox

MOST_NESTED = 100
"""Of a template's tree. Counted, so that a prompt passes on every stack or on none: Python's own bound is how deep the
caller is already."""
_TOO_DEEP = "is nested too deep"
_SPLIT = "split it: {% set %} names a part of a long expression"


@dataclass
class Read:
    """What the prompts use: paths such as `research.think.questions`, and templates by language."""

    paths: set[str] = field(default_factory=set[str])
    files: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def check_prompts(definition: Definition, package: Package, unsound: Collection[str]) -> tuple[Read, list[Mistake]]:
    """What all prompts use, and all that is wrong with them. `unsound` are files that cannot be parsed."""
    read, told = Read(), dict[Mistake, None]()
    for language in definition.languages:
        there = package.templates.get(language, {})
        templates = {name: text for name, text in there.items() if _file(language, name) not in unsound}
        reader = Reader(environment(templates), templates)
        for position in definition.positions():
            name = f"{definition.step(position).prompt}.md.j2"
            told |= dict.fromkeys(_blocks(reader, language, name))
            try:
                for template, line, what, near in reader.read(name, plain_context(package, position, language)):
                    told[Mistake(_file(language, template), line, what, near)] = None
            except RecursionError:
                told[Mistake(_file(language, name), None, _TOO_DEEP, "include fewer parts within parts")] = None
        read.paths |= reader.paths
        read.files[language] = reader.files
    return read, list(told)


def check_syntax(package: Package) -> Iterator[Mistake]:
    for language, templates in package.templates.items():
        yield from _unparsable(environment(templates), templates, language)


def _unparsable(made: Sandbox, templates: Mapping[str, str], language: str) -> Iterator[Mistake]:
    for name, text in sorted(templates.items()):
        file = _file(language, name)
        try:
            parsed = made.parse(text, name)
            deep = _too_deep(parsed)
            if deep is None:
                made.compile(parsed, name)
            else:
                yield Mistake(file, deep, f"{_TOO_DEEP}: more than {MOST_NESTED} levels", _SPLIT)
        except TemplateSyntaxError as error:
            said = error.message or "syntax error"
            known = made.filters if "filter named" in said else made.tests if "test named" in said else ()
            near = did_you_mean(_quoted(said), known)
            yield Mistake(file, error.lineno, said, near)
        except RecursionError:
            yield Mistake(file, _longest(made, text), _TOO_DEEP, _SPLIT)
        except Exception as error:  # what compiling raises beside its own errors is Python's business
            yield Mistake(file, None, f"cannot be compiled: {error!r}"[:300])


def _too_deep(parsed: nodes.Template) -> int | None:
    """The line of what is nested too deep. It does not recurse itself."""
    level: list[nodes.Node] = [parsed]
    for _ in range(MOST_NESTED):
        level = [child for node in level for child in node.iter_child_nodes()]
    return min((node.lineno for node in level), default=None)


def _longest(made: Sandbox, text: str) -> int | None:
    """The line of the longest tag, when nothing more is known of what could not be parsed."""
    lengths: dict[int, int] = {}
    begun = 1
    for line, kind, said in made.lex(text):
        if kind in ("variable_begin", "block_begin"):
            begun = line
        elif kind != "data":
            lengths[begun] = lengths.get(begun, 0) + len(said)
    return max(lengths, key=lengths.__getitem__, default=None)


def _file(language: str, name: str) -> str:
    return f"prompts/{language}/{name}"


def _blocks(reader: Reader, language: str, name: str) -> Iterator[Mistake]:
    parsed = reader.parsed(name)
    blocks = [block.name for block in parsed.find_all(nodes.Block)] if parsed else ["system", "user"]
    for block in ("system", "user"):
        if block not in blocks:
            near = did_you_mean(block, blocks).replace("did you mean", f"call it {block!r}; is it")
            yield Mistake(_file(language, name), None, f"has no block {block!r}", near)


def _quoted(said: str) -> str:
    return said.split("'")[1] if said.count("'") > 1 else said
