"""What is said where no platform is named: plans of searches, findings, and the report that comes of them."""

from collections.abc import Callable

from ekiden_simulator.answers import report
from ekiden_simulator.answers.place import Place, Saying, Sayings
from ekiden_simulator.answers.story import COUNT
from ekiden_simulator.answers.wording import Report


def _question(place: Place) -> str:
    """What is asked first, and with sources at hand what they leave open."""
    story = place.story
    words = story.words["report"]
    questions = words["followUps"] if story.brief.sources else words["questions"]
    return story.brief.weave(questions[story.index % len(questions)])


def _woven(text: Callable[[Report], str]) -> Saying:
    return lambda place: place.story.brief.weave(text(place.story.words["report"]))


def _turned(texts: Callable[[Report], list[str]]) -> Saying:
    """One of some texts for each item of a list, and round again."""

    def saying(place: Place) -> str:
        options = texts(place.story.words["report"])
        return options[place.story.index % len(options)]

    return saying


def _list(texts: Callable[[Report], list[str]]) -> Saying:
    return lambda place: texts(place.story.words["report"])


_purpose = _turned(lambda report: report["purposes"])
_meaning = _turned(lambda report: report["meanings"])
_open = _list(lambda report: report["openQuestions"])


def _statement(place: Place) -> str | None:
    source = place.story.main_source
    return report.claim(place.story, source) if source else None


PLANNED: Sayings = {
    "question": _question,
    "questions": lambda place: [_question(Place("questions", place.story.at(number))) for number in range(COUNT)],
    "intent": _purpose,
    "purpose": _purpose,
    "reading": _woven(lambda report: report["reading"]),
}
"""Needs nothing but the theme."""

FOUND: Sayings = {
    "title": lambda place: report.title(place.story),
    "headline": lambda place: report.title(place.story),
    "summary": lambda place: report.summary(place.story),
    "overview": lambda place: report.summary(place.story),
    "statement": _statement,
    "finding": _statement,
    "claim": _statement,
    "point": _statement,
    "keyPoints": lambda place: report.key_points(place.story),
    "points": lambda place: report.key_points(place.story),
    "meaning": _meaning,
    "whyItMatters": _meaning,
    "content": lambda place: report.content(place.story),
    "body": lambda place: report.content(place.story),
    "outlook": lambda place: report.outlook(place.story),
    "risks": _list(lambda report: report["risks"]),
    "nextSteps": _list(lambda report: report["nextSteps"]),
    "openQuestions": _open,
    "gaps": _open,
    "decisive": _woven(lambda report: report["decisive"]),
}
"""Rests on sources: said only where the prompt shows some."""
