"""A property's name decides what is said in it: `hook`, `hashtags`, `riskAssessment`, in any workflow."""

from typing import Final

from ekiden_simulator.answers import post_sayings, report_sayings, strategy_sayings, topic_sayings
from ekiden_simulator.answers.place import Place, Saying, Sayings


class Unspoken:
    """Nothing is said about a property of this name: its schema alone decides."""


UNSPOKEN: Final = Unspoken()
_SAYINGS: Sayings = {**topic_sayings.SAYINGS, **post_sayings.SAYINGS, **strategy_sayings.SAYINGS}


def spoken(name: str, place: Place) -> object:
    """Return what is said in a property of this name as plain JSON values, or `UNSPOKEN`."""
    if name.lower().endswith("number"):
        return place.story.number
    saying = _of_a_report(name, place) or _SAYINGS.get(name)
    return saying(place) if saying else UNSPOKEN


def _of_a_report(name: str, place: Place) -> Saying | None:
    brief = place.story.brief
    if brief.for_a_platform:
        return None
    found = report_sayings.FOUND.get(name) if brief.sources else None
    return found or report_sayings.PLANNED.get(name)
