"""Hashtags: one list and one text that say the same, each tag once, as many as the platform takes."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TAG = re.compile(r"(?<![\w/&])[#＃](?=\w*[^\W\d])(\w+)")
"""A tag needs one character that is no digit, and begins no fragment of an address."""
_LAST = re.compile(r"(?<![\w/&])[#＃]\w++\Z")
_WORD = re.compile(r"\w+")
_SPACED = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Tagged:
    """`surplus` tags stand inside the text's sentences, where taking them out would harm it."""

    content: str
    hashtags: tuple[str, ...]
    surplus: int


def tags_in(content: str) -> list[str]:
    return [f"#{found[1]}" for found in _TAG.finditer(content)]


def together(content: str, listed: Sequence[str], most: int) -> Tagged:
    """Bring list and text together.

    The text's tags come first, then those that only the list has: they join the block at the text's end. Doubles go;
    so do tags above `most`, last ones first, except inside a sentence.
    """
    plain = _TAG.sub(lambda found: f"#{found[1]}", content)
    end = _body_end(plain)
    body, ending = plain[:end], plain[end:]
    inside = _once(tags_in(body))
    behind = _once([*tags_in(ending), *(tag for tag in map(_normal, listed) if tag)], but=inside)
    kept = behind[: max(0, most - len(inside))]
    between = re.match(r"\s*", ending)
    space = between[0] if between and between[0] else "\n\n" if body.strip() else ""
    if kept != tags_in(ending):
        plain = f"{body.rstrip()}{space if kept else ''}{' '.join(kept)}"
    return Tagged(plain, (*inside, *kept), max(0, len(inside) - most))


def _body_end(content: str) -> int:
    """Where the block of tags at a text's end begins, its leading space included; without one the text's length."""
    end = len(content)
    for word in reversed([*_SPACED.finditer(content)]):
        tag = _LAST.search(word[0])
        if tag is None:
            return end if end == len(content) else word.end()
        end = word.start() + tag.start()
        if tag.start():
            return end
    return 0 if end < len(content) else end


def same(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two lists name the same tags, in whatever order."""
    return sorted(one) == sorted(other)


def _normal(said: str) -> str:
    """What a platform would make of a list's entry: `＃AI agents` is #AI."""
    word = _WORD.search(said)
    return f"#{word[0]}" if word and not word[0].isdecimal() else ""


def _once(tags: Iterable[str], but: Iterable[str] = ()) -> list[str]:
    seen = {_key(tag) for tag in but}
    kept: list[str] = []
    for tag in tags:
        if _key(tag) not in seen:
            seen.add(_key(tag))
            kept.append(tag)
    return kept


def _key(tag: str) -> str:
    return unicodedata.normalize("NFKC", tag).casefold()
