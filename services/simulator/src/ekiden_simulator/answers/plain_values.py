"""Values for properties nobody has a special saying for: by type, with name and description as a hint."""

import re
from collections.abc import Mapping
from typing import cast

from ekiden_simulator.answers.story import Story
from ekiden_simulator.chance import fraction

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_TITLES = frozenset(("title", "name", "headline", "heading", "label", "subject", "topic", "theme", "item"))
_LINKS = frozenset(("url", "uri", "link", "href"))
_DAYS = frozenset(("date", "day", "published", "deadline"))
_LONG = frozenset(("body", "text", "article", "content", "description", "summary", "explanation", "conclusion"))


def text(schema: Mapping[str, object], name: str, story: Story, position: int) -> str:
    """Return a text on the theme that suits the property's name, within the schema's lengths."""
    longest = cast("int", schema.get("maxLength", 4000))
    made = _text(schema, _words(name), story, position)
    while len(made) < cast("int", schema.get("minLength", 0)):
        made += story.words["joins"]["sentence"] + _sentence(story, name, position + len(made))
    return made[:longest]


def number(schema: Mapping[str, object], name: str, position: int, *, whole: bool) -> int | float:
    """Return a number within the schema's bounds that differs by place in the list."""
    low = cast("float", schema.get("minimum", 1 if whole else 0))
    high = cast("float", schema.get("maximum", low + (100 if whole else 1)))
    value = low + (high - low) * (0.5 + 0.5 * fraction(position, name))
    return int(value) if whole else round(value, 2)


def _words(name: str) -> frozenset[str]:
    """The words of a property's name in the singular: `sourceLinks` → source, link."""
    return frozenset(word.lower().removesuffix("s") for word in _WORD.findall(name))


def _text(schema: Mapping[str, object], words: frozenset[str], story: Story, position: int) -> str:
    form = schema.get("format")
    described = _words(str(schema.get("description", ""))[:40])
    day = story.brief.day.isoformat()
    if form == "date-time":
        return f"{day}T09:00:00Z"
    if form == "date" or words & _DAYS:
        return day
    if form == "email" or "email" in words:
        return "desk@example.com"
    if form == "uri" or (words or described) & _LINKS:
        return _address(story, position) or ("https://example.com/" if form == "uri" else "")
    if "language" in words:
        return story.brief.language
    if words & _TITLES:
        labels = story.words["labels"]
        return story.brief.weave(labels[(story.index + position) % len(labels)])
    if words & _LONG:
        parts = [_sentence(story, "", story.index * 2 + position + turn) for turn in range(3)]
        return story.words["joins"]["sentence"].join(parts)
    return _sentence(story, "".join(sorted(words)), story.index + position)


def _address(story: Story, position: int) -> str:
    sources = story.sources
    return sources[position % len(sources)].url if sources else ""


def _sentence(story: Story, name: str, turn: int) -> str:
    sentences = story.words["sentences"]
    start = int(fraction(0, name) * len(sentences)) if name else 0
    return story.brief.weave(sentences[(start + turn) % len(sentences)])
