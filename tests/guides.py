"""The code that our guides show."""

import re
from collections.abc import Sequence
from pathlib import Path


def code_blocks(guide: Path, language: str) -> Sequence[str]:
    """Return the blocks of code in one language, in the order of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
