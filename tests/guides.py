"""The code that our guides show."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def code_blocks(guide: Path, language: str) -> Sequence[str]:
    """Return the blocks of code in one language, in the order of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def files(guide: Path) -> Mapping[str, str]:
    """Return the files that a guide shows whole: a line with the path, and the block of code below it."""
    return dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", guide.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def write(guide: Path, folder: Path) -> None:
    """Write the files of a guide below a folder, as its reader does."""
    for name, text in files(guide).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
