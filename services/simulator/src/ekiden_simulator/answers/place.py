"""Where in an answer a value stands: what surrounds it decides what its name means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ekiden_simulator.answers.story import Story


@dataclass(frozen=True, slots=True)
class Place:
    """Inside which list (empty at the top), and with which story."""

    inside: str
    story: Story

    @property
    def early(self) -> bool:
        """Before there are concepts: what is spoken of are topics."""
        return self.inside in {"topics", "assessments", "questions"}


Saying = Callable[[Place], object]
"""Returns plain JSON values; a list of objects with all properties that any schema may ask of them."""
Sayings = Mapping[str, Saying]


def by_turn(*values: object) -> Saying:
    """Return the first value for the first item of a list, the second for the second, and round again."""
    return lambda place: values[place.story.index % len(values)]
