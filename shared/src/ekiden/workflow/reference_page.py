"""`python -m ekiden.workflow.reference_page docs/workflows.md` writes the tables of all keys into the page."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ekiden.workflow.definition import Definition, Drafts, Fallback, Gates, Phase, Platform, Shorten, StepDefinition
from ekiden.workflow.inputs import Input
from ekiden.workflow.params import PARAMS

PARTS: dict[str, type[BaseModel]] = {
    "The workflow": Definition,
    "An input": Input,
    "A phase": Phase,
    "A step": StepDefinition,
    "`shorten`": Shorten,
    "`fallback`": Fallback,
    "`gates`": Gates,
    "`drafts`": Drafts,
    "A platform": Platform,
}
_MADE = re.compile(r"(<!-- keys -->\n).*(<!-- /keys -->)", re.DOTALL)


def tables() -> str:
    """Every key with its default and meaning, as Markdown."""
    return "\n".join(line for title, model in PARTS.items() for line in _table(title, model)) + "\n" + _params()


def filled_in(page: str) -> str:
    """The page with the tables of today between its two marks."""
    return _MADE.sub(lambda found: f"{found[1]}{tables()}{found[2]}", page)


def _table(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"### {title}", "", "| key | default | meaning |", "|---|---|---|")
    for name, field in model.model_fields.items():
        default: object = field.default
        shown = "required" if field.is_required() else "–"
        if default is not PydanticUndefined and default not in (None, "", ()):
            shown = f"`{default}`"
        yield f"| `{field.alias or name}` | {shown} | {field.description} |"
    yield ""


def _params() -> str:
    rows = [f"| `{provider}` | {', '.join(f'`{name}`' for name in names)} |" for provider, names in PARAMS.items()]
    return "\n".join(["### `params`", "", "| provider | parameters |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled_in(path.read_text("utf-8")), "utf-8")
