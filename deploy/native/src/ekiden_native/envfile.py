"""`stack.env`: addresses as KEY=value lines that a shell can source."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from ekiden_native.state_dir import write_atomically


def format_env(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def parse_env(text: str) -> dict[str, str]:
    """Read what `format_env` wrote; a quoted value may hold line breaks."""
    return dict(word.split("=", 1) for word in shlex.split(text, comments=True))


def write_env(path: Path, variables: Mapping[str, str]) -> None:
    write_atomically(path, format_env(variables))


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of the file; an absent file has none."""
    try:
        return parse_env(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
