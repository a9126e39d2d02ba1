"""Lines for text that mixes Japanese and Latin letters, measured in terminal cells.

Latin words stay whole, Japanese may break anywhere, except that no line begins with a closing mark or ends with an
opening one (kinsoku).
"""

import re

from rich.cells import cell_len, chop_cells

_NOT_AT_START = frozenset(
    "、。，．・：；？！ー〜～）」』】〕〉》］｝’”々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ…‥!?),.:;]}％%"
)
_NOT_AT_END = frozenset("（「『【〔〈《［｛‘“([{#＃$￥")
_PIECE = re.compile(r"\s+|[!-~\u00a1-\u1fff]+|.", re.DOTALL)
_ESCAPE = r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_UNSAFE = re.compile(f"{_ESCAPE}|{_CONTROL}")


def clean(text: str) -> str:
    """Take out what a terminal would obey: texts come from models and from the web."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n").expandtabs(4))


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` cells; its own line breaks are kept."""
    return [line for paragraph in text.split("\n") for line in _wrap_line(paragraph, max(width, 4))]


def shorten(text: str, width: int) -> str:
    """Cut a text to `width` cells, with an ellipsis where something was lost."""
    flat = " ".join(text.split())
    return flat if cell_len(flat) <= width else chop_cells(flat, max(width - 1, 1))[0] + "…"


def pad(text: str, width: int) -> str:
    """Shorten or fill a text to exactly `width` cells."""
    short = shorten(text, width)
    return short + " " * (width - cell_len(short))


def _wrap_line(line: str, width: int) -> list[str]:
    lines: list[str] = []
    current = ""
    for unit in _units(line):
        if cell_len(current + unit.rstrip()) <= width:
            current += unit
            continue
        if current.strip():
            lines.append(current.rstrip())
            current = ""
        *full, current = chop_cells(unit.lstrip() or unit, width) or [""]
        lines += full
    return [*lines, current.rstrip()]


def _units(line: str) -> list[str]:
    """The pieces between which a line may break."""
    units: list[str] = []
    for piece in _PIECE.findall(line):
        glued = units and (piece[0] in _NOT_AT_START or units[-1][-1] in _NOT_AT_END)
        if glued and not piece.isspace():
            units[-1] += piece
        else:
            units.append(piece)
    return units
