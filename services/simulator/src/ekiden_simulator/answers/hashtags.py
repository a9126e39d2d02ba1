"""Hashtags made from a theme: its own words first, then what suits the style."""

import re
from itertools import chain, groupby
from operator import itemgetter

from ekiden_simulator.answers.theme import Theme, width

_PARTICLE = re.compile(r"(?<=[一-鿿ァ-ヶーA-Za-z0-9])[とのをがや](?=[一-鿿ァ-ヶA-Za-z0-9])|[\s・、，,/&＆+＋]+")
_OTHER = re.compile(r"[\W_]+")
_SMALL_WORDS = (
    " a an and are at be by can do does for from how i in is it its my not of on or our the their this to vs we what "
    "when why will with you your "
    "am auf bei das dem den der des die ein eine für im ist mit nach oder und vom von zu zum zur "
    "au aux dans de des du en et la le les ou par pour sur un une el los las y del con para por "
)
"""Words that name nothing, in English and in what else themes are typed in."""
_EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
_WIDEST_TAG = 30


def hashtags(theme: Theme, extra: list[str], count: int, turn: int) -> list[str]:
    """Return `count` different tags. `turn` rotates the style's own, so that drafts do not all carry the same."""
    rotated = [extra[(turn + n) % len(extra)] for n in range(len(extra))]
    found = dict.fromkeys(chain(_whole(theme.text, count), _own(theme.text), rotated))
    return list(found)[:count]


def _whole(text: str, count: int) -> list[str]:
    """The theme as one tag: where there is room for one only, its parts alone would say too little."""
    tag = _OTHER.sub("", text)
    return [f"#{tag}"] if count == 1 and _EAST_ASIAN.search(text) and 0 < width(tag) <= _WIDEST_TAG else []


def _own(text: str) -> list[str]:
    words = [word for word in (_OTHER.sub("", part) for part in _PARTICLE.split(text)) if word]
    if not _EAST_ASIAN.search(text):
        first, *more = sorted(_named(words), key=len, reverse=True) or [[]]
        alone = [_joined(first[:3]), _joined(first[:2]), _joined(first[-1:])]
        names = [_joined(first[:3]), *(_joined(words[:3]) for words in more)] if more else alone
    else:
        names = words if len(words) > 1 else [_OTHER.sub("", text)]
    return [f"#{name}" for name in names if name and not name.isdigit() and width(name) <= _WIDEST_TAG]


def _named(words: list[str]) -> list[list[str]]:
    """What a theme names, each in its words: small words stand between `remote work` and `small towns`."""
    small = [f" {word.lower()} " in _SMALL_WORDS for word in words]
    grouped = groupby(zip(words, small, strict=True), key=itemgetter(1))
    return [[word for word, _ in group] for is_small, group in grouped if not is_small]


def _joined(words: list[str]) -> str:
    return "".join(word[:1].upper() + word[1:] for word in words)
