"""Standard output: a terminal that can be drawn on, or a place for plain lines."""

import io
import json
import os
import sys
from dataclasses import dataclass, field

from rich.console import Console


@dataclass(frozen=True)
class Terminal:
    """Where a command speaks. With `as_json` standard output has nothing but JSON, with `in_lines` one per line."""

    as_json: bool = False
    in_lines: bool = False
    out: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=False, emoji=False, markup=False))
    err: Console = field(
        default_factory=lambda: Console(stderr=True, highlight=False, emoji=False, markup=False, soft_wrap=True)
    )

    @property
    def drawn(self) -> bool:
        """Whether standard output may be drawn on: a terminal, and nobody asked for plain text."""
        return is_drawable() and not self.as_json

    def say(self, line: str) -> None:
        """Say a line of progress: on standard output, or beside it when that is for JSON."""
        print(line, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def hand(self, text: str) -> None:
        """Write a text as it is, in UTF-8: it may be a file's, whose line ends and first letter count."""
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()

    def give(self, document: object) -> None:
        """Print a JSON document."""
        print(as_json(document, indent=None if self.in_lines else 2), flush=True)


def as_json(document: object, *, indent: int | None = None) -> str:
    """JSON in the letters it is about, or in escapes where standard output does not have those."""
    return json.dumps(document, ensure_ascii=not _is_utf8(), indent=indent)


def tolerate_encodings() -> None:
    """Let what a terminal's encoding lacks become a question mark instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def is_drawable() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
