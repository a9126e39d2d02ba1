"""Prompts: they can be parsed, have both blocks, and use only what earlier steps provide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from ekiden.errors import Mistake
from ekiden.workflow.definition import Definition
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.package import Package
from ekiden.workflow.prompts import environment
from ekiden.workflow.provided import Reader
from ekiden.workflow.rehearsal import plain_context


@dataclass
class Read:
    """What the prompts use: paths such as `research.think.questions`, and templates by language."""

    paths: set[str] = field(default_factory=set[str])
    files: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def check_prompts(definition: Definition, package: Package) -> tuple[Read, list[Mistake]]:
    """What all prompts use, and all that is wrong with them."""
    read, told = Read(), dict[Mistake, None]()
    for language in definition.languages:
        templates = package.templates.get(language, {})
        made = environment(templates)
        reader = Reader(made, templates)
        for position in definition.positions():
            name = f"{definition.step(position).prompt}.md.j2"
            told |= dict.fromkeys(_blocks(reader, language, name))
            for template, line, what, near in reader.read(name, plain_context(package, position, language)):
                told[Mistake(f"prompts/{language}/{template}", line, what, near)] = None
        read.paths |= reader.paths
        read.files[language] = reader.files
    return read, list(told)


def check_syntax(package: Package) -> Iterator[Mistake]:
    for language, templates in package.templates.items():
        yield from _unparsable(environment(templates), templates, language)


def _unparsable(made: SandboxedEnvironment, templates: Mapping[str, str], language: str) -> Iterator[Mistake]:
    for name in sorted(templates):
        try:
            made.get_template(name)
        except TemplateSyntaxError as error:
            said = error.message or "syntax error"
            near = did_you_mean(_quoted(said), made.filters if "filter" in said else made.tests)
            yield Mistake(f"prompts/{language}/{name}", error.lineno, said, near)
        except Exception as error:  # what compiling raises beside its own errors is Python's business
            yield Mistake(f"prompts/{language}/{name}", None, f"cannot be compiled: {error!r}"[:300])


def _blocks(reader: Reader, language: str, name: str) -> Iterator[Mistake]:
    parsed = reader.parsed(name)
    blocks = [block.name for block in parsed.find_all(nodes.Block)] if parsed else ["system", "user"]
    for block in ("system", "user"):
        if block not in blocks:
            near = did_you_mean(block, blocks).replace("did you mean", f"call it {block!r}; is it")
            yield Mistake(f"prompts/{language}/{name}", None, f"has no block {block!r}", near)


def _quoted(said: str) -> str:
    return said.split("'")[1] if said.count("'") > 1 else said
