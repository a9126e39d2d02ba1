"""A property's name decides what is said in it: `hook`, `hashtags`, `riskAssessment`, in any workflow."""

from typing import Final

from ekiden_simulator.answers import post_sayings, strategy_sayings, topic_sayings
from ekiden_simulator.answers.place import Place, Sayings


class Unspoken:
    """Nothing is said about a property of this name: its schema alone decides."""


UNSPOKEN: Final = Unspoken()
_SAYINGS: Sayings = {**topic_sayings.SAYINGS, **post_sayings.SAYINGS, **strategy_sayings.SAYINGS}


def spoken(name: str, place: Place) -> object:
    """Return what is said in a property of this name as plain JSON values, or `UNSPOKEN`."""
    if name.endswith("Number"):
        return place.story.number
    saying = _SAYINGS.get(name)
    return saying(place) if saying else UNSPOKEN
