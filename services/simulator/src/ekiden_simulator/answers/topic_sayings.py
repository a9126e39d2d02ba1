"""What is said while a theme is explored: questions, topics, how they are weighed, opportunities."""

from datetime import timedelta

from ekiden_simulator.answers.place import Place, Saying, Sayings, by_turn
from ekiden_simulator.answers.story import COUNT, month_and_year

_LOOKED_BACK = timedelta(weeks=6)  # the same as the texts of `timeRange` say


def _from_topic(name: str) -> Saying:
    def saying(place: Place) -> object:
        value = dict(place.story.topic)[name]
        return place.story.brief.weave(value) if isinstance(value, str) else value

    return saying


def _from_plan(name: str) -> Saying:
    def saying(place: Place) -> object:
        brief = place.story.brief
        return brief.weave(brief.words["plan"][name], today=brief.day.isoformat())

    return saying


def _from_lists(name: str) -> Saying:
    return lambda place: place.story.words["lists"][name]


def topic_title(place: Place) -> str:
    """Return the topic's title as the prompt shows it, else the one this topic would get."""
    story = place.story
    shown = story.brief.item(story.number, "topic")
    return (shown.fields.get("title") if shown else None) or story.brief.weave(story.topic["title"])


def title(place: Place) -> str:
    """Return a title of the kind that the surrounding list asks for."""
    story = place.story
    if place.early:
        return topic_title(place)
    if place.inside == "opportunities":
        pattern = story.words["opportunity"]["title"]
        return pattern.format(topic=topic_title(place), format=story.format["name"])
    return story.title


def _summary(place: Place) -> object:
    return (_from_topic if place.early else _from_plan)("summary")(place)


def _question(place: Place) -> str:
    story = place.story
    since = month_and_year(story.words, story.brief.day - _LOOKED_BACK)
    return story.brief.weave(story.topic["question"], since=since)


def _audience(place: Place) -> str:
    return place.story.topic["audience"] if place.early else place.story.format["audience"]


def _gaps(place: Place) -> list[str]:
    return place.story.words["lists"]["gaps"][:1] if place.story.brief.sources else place.story.words["lists"]["gaps"]


SAYINGS: Sayings = {
    "reading": _from_plan("reading"),
    "timeRange": _from_plan("timeRange"),
    "rationale": _from_plan("rationale"),
    "criteria": _from_lists("criteria"),
    "gaps": _gaps,
    "question": _question,
    "questions": lambda place: [_question(Place("questions", place.story.at(number))) for number in range(COUNT)],
    "category": lambda place: place.story.category,
    "intent": _from_topic("intent"),
    "title": title,
    "topicTitle": topic_title,
    "summary": _summary,
    "whyNow": _from_topic("whyNow"),
    "emotion": _from_topic("emotion"),
    "viralElements": _from_topic("viralElements"),
    "velocity": by_turn("rising", "emerging", "peaking", "steady"),
    "velocityReason": _from_topic("velocityReason"),
    "angles": _from_topic("angles"),
    "saturation": _from_topic("saturation"),
    "concern": _from_topic("concern"),
    "audience": _audience,
    "platformFit": by_turn(9, 8, 7, 6),
    "score": by_turn(86, 78, 69, 61),
    "window": lambda place: place.story.words["opportunity"]["window"][place.story.index % 3],
}
