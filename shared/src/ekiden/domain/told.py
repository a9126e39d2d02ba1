"""A sentence that remembers what it is made of: English as it stands, and sayable in another language."""

from collections.abc import Mapping
from typing import cast


class Told(str):
    """English text; `pattern` is the sentence with its places, `values` what stands in them.

    The pattern is the key under which another language has the sentence. A value may be such a text itself, or a tuple
    of texts, which is a list with commas.
    """

    __slots__ = ("pattern", "values")

    pattern: str
    values: Mapping[str, object]


def told(pattern: str, /, **values: object) -> Told:
    """Say it in English. Raises KeyError for a place without a value."""
    made = Told(pattern.format(**{name: _english(value) for name, value in values.items()}))
    made.pattern = pattern
    made.values = values
    return made


def count(number: int, word: str, /, **values: object) -> Told:
    """So many of something: `1 task`, `2 tasks`; the word may have places, as a sentence has."""
    return told(f"{{number}} {word}{'' if number == 1 else 's'}", number=number, **values)


def _english(value: object) -> object:
    return ", ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else value
