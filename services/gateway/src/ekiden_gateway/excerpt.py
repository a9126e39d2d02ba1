"""Excerpts: JSON of any size, short enough to be read at a glance. What is cut ends in an ellipsis."""

from collections.abc import Mapping, Sequence
from typing import cast

LONGEST_TEXT = 1_500
LARGEST = 20_000
"""Characters of all texts and names together."""
ELLIPSIS = "…"


class Excerpt:
    """Cuts values of one whole: they share the room. `cut` says whether anything was left out."""

    def __init__(self, largest: int = LARGEST, longest_text: int = LONGEST_TEXT) -> None:
        self._room = largest
        self._longest = longest_text
        self.cut = False

    def of(self, value: object) -> object:
        """The value, its texts shortened and its lists ended where the room does; a field stays, if only empty."""
        if isinstance(value, str):
            return self._text(value)
        self._room -= 1
        if isinstance(value, Mapping):
            fields = cast("Mapping[str, object]", value)
            self._room -= sum(map(len, fields))
            return {name: self.of(inner) for name, inner in fields.items()}
        if isinstance(value, Sequence):
            return self._list(cast("Sequence[object]", value))
        return value

    def _list(self, values: Sequence[object]) -> list[object]:
        made: list[object] = []
        for value in values:
            if self._room <= 0:
                self.cut = True
                break
            made.append(self.of(value))
        return made

    def _text(self, text: str) -> str:
        most = max(0, min(self._longest, self._room))
        self._room -= min(len(text), most)
        if len(text) <= most:
            return text
        self.cut = True
        return text[:most] + ELLIPSIS
