"""Changes of single fields, where None is a value of its own: `KEPT` is what is not changed."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Kept(Enum):
    KEPT = "kept"


KEPT = Kept.KEPT
Change = T | Kept


def changed(wish: Mapping[str, object]) -> dict[str, object]:
    """What of a wish is to be changed."""
    return {name: value for name, value in wish.items() if value is not KEPT}
