"""The user's theme, made fit for a sentence: one line, no markup, not too long, quoted when it has to be."""

import re
import unicodedata
from dataclasses import dataclass

from ekiden_simulator.answers.wording import Language

_MARKUP = re.compile(r"[<‹][/!a-zA-Z_][^<>‹]{0,200}>")
_UNFIT = re.compile(r"[\"`“”「」『』<>‹›{}\[\]|\\*#]+|(?<!\w)['‘’]+|['‘’]+(?!\w)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")
_BREAKS = " 、。・，,.：:；;？?！!"
_WIDEST = 56
"""28 full-width characters: with a hook around it the theme still leaves room for a body on X."""
_PLAIN_WIDTH = 32
_NAMELESS = {"ja": "このテーマ", "en": "this theme"}


@dataclass(frozen=True, slots=True)
class Theme:
    """`text` is the clean theme, `name` the same as it stands inside a sentence, `start` at its beginning."""

    text: str
    name: str
    start: str


def width(text: str) -> int:
    """Length as X counts it: a character beyond the Latin scripts counts for two."""
    return sum(2 if ord(character) > 0x10FF else 1 for character in text)


def theme_of(raw: str, language: Language) -> Theme:
    """Clean what the user typed, whatever it was."""
    text = _MARKUP.sub(" ", _CONTROL.sub(" ", unicodedata.normalize("NFC", raw)))
    text = " ".join(_UNFIT.sub("", text).split()).strip(_BREAKS.replace("?", "").replace("？", ""))
    text = shortened(text, _WIDEST) or _NAMELESS[language]
    if language == "en":
        return Theme(text, text, text[:1].upper() + text[1:])
    plain = width(text) <= _PLAIN_WIDTH and not any(mark in text for mark in (*_BREAKS[:4], "?", "？", "!", "！", "…"))
    name = text if plain else f"「{text}」"
    return Theme(text, name, name)


def shortened(text: str, most: int) -> str:
    """Cut a text to a width, at a break between words when there is one in the second half."""
    if width(text) <= most:
        return text
    kept, used = 0, 2
    while used + width(text[kept]) <= most:
        used += width(text[kept])
        kept += 1
    head = text[:kept]
    cut = max(head.rfind(mark) for mark in _BREAKS)
    return (head[:cut] if cut > kept // 2 else head).rstrip(_BREAKS) + "…"
