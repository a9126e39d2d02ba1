"""What is said about publishing: when, with which risks, measured how, and what to try next."""

from typing import TypeVar

from ekiden_simulator.answers.place import Place, Saying, Sayings
from ekiden_simulator.answers.story import Story

_Item = TypeVar("_Item")


def _from_plan(name: str) -> Saying:
    return lambda place: place.story.words["plan"][name]


def _risks(place: Place) -> list[dict[str, object]]:
    story = place.story
    risk, response = _own_risk(story)
    shared = story.words["risks"][story.index % len(story.words["risks"])]
    return [{"risk": risk, "likelihood": "medium", "response": response}, {**shared, "likelihood": "low"}]


def _own_risk(story: Story) -> tuple[str, str]:
    """The form's own risk: its first sentence says what may happen, the rest what is done then."""
    stop = "。" if story.brief.language == "ja" else ". "
    risk, _, response = story.format["risk"].partition(stop)
    return risk, response.rstrip("。.")


def _risk_assessment(place: Place) -> str:
    story = place.story
    shared = story.words["risks"][story.index % len(story.words["risks"])]
    also = story.words["plan"]["risk"].format(risk=shared["risk"], response=shared["response"])
    return story.words["joins"]["sentence"].join([story.format["risk"], also])


def _kpis(place: Place) -> list[dict[str, str]]:
    return _turned(place.story.words["kpis"], place.story.index * 2, 3)


def _tips(place: Place) -> list[str]:
    return [place.story.format["tip"], *_turned(place.story.words["tips"], place.story.index * 2, 2)]


def _turned(items: list[_Item], start: int, count: int) -> list[_Item]:
    return [items[(start + number) % len(items)] for number in range(count)]


SAYINGS: Sayings = {
    "timing": lambda place: place.story.timing,
    "publishWindow": lambda place: place.story.timing,
    "timeline": lambda place: place.story.words["timeline"][place.story.index % 3],
    "risks": _risks,
    "riskAssessment": _risk_assessment,
    "kpis": _kpis,
    "optimizationTips": _tips,
    "tips": _tips,
    "order": _from_plan("order"),
    "overview": _from_plan("overview"),
}
