"""What is said of a concept, its plan and the finished post, and the sources each rests on."""

from collections.abc import Callable

from ekiden_simulator.answers.place import Place, Saying, Sayings
from ekiden_simulator.answers.post import content, visual_guide
from ekiden_simulator.answers.quotes import inner
from ekiden_simulator.answers.report import claim
from ekiden_simulator.answers.sources import Source


def _from_format(name: str) -> Saying:
    return lambda place: dict(place.story.format)[name]


def _from_source(field: Callable[[Source], str | None]) -> Saying:
    def saying(place: Place) -> object:
        source = place.story.main_source
        return field(source) if source else None

    return saying


def _angle(place: Place) -> str:
    story = place.story
    shown = story.brief.item(story.number, "concept", "opportunity")
    return (shown.fields.get("angle") if shown else None) or story.format["angle"]


def _key_points(place: Place) -> list[str]:
    pattern = place.story.words["plan"]["fit"]
    return [pattern.format(head=point["head"], text=point["text"]) for point in place.story.format["points"]]


def _structure(place: Place) -> list[str]:
    story = place.story
    heads = story.words["joins"]["list"].join(point["head"] for point in story.format["points"])
    return [part.format(hook=story.hook, heads=heads, cta=story.call) for part in story.words["lists"]["structure"]]


def _facts(place: Place) -> list[dict[str, object]]:
    """One claim per source: what no source supports is no fact."""
    story = place.story
    return [{"claim": claim(story, source), "sourceId": source.id, "url": source.url} for source in story.sources]


def _evidence(place: Place) -> list[dict[str, str | None]]:
    return [source.to_evidence() for source in place.story.sources]


def _opening(place: Place) -> str:
    return place.story.words["plan"]["opening"].format(hook=inner(place.story.hook, place.story.brief.language))


_main_url = _from_source(lambda source: source.url)

SAYINGS: Sayings = {
    "format": _from_format("name"),
    "hook": lambda place: place.story.hook,
    "angle": _angle,
    "keyPoints": _key_points,
    "points": _key_points,
    "sourceIds": lambda place: [source.id for source in place.story.sources],
    "evidence": _evidence,
    "sources": _evidence,
    "newsSource": _from_source(lambda source: source.title),
    "sourceTitle": _from_source(lambda source: source.title),
    "sourceUrl": _main_url,
    "url": _main_url,
    "sourceId": _from_source(lambda source: source.id),
    "date": _from_source(lambda source: source.date),
    "opening": _opening,
    "structure": _structure,
    "tone": _from_format("tone"),
    "callToAction": lambda place: place.story.call,
    "visualIdea": _from_format("visual"),
    "visualGuide": lambda place: visual_guide(place.story),
    "hashtagIdeas": lambda place: place.story.tags,
    "hashtags": lambda place: place.story.tags,
    "targetLength": lambda place: len(content(place.story)),
    "facts": _facts,
    "content": lambda place: content(place.story),
}
