"""The post itself: its parts put together as each platform likes them, and cut to its limit."""

from collections.abc import Callable
from dataclasses import dataclass

from ekiden_simulator.answers.pages import sentence_of
from ekiden_simulator.answers.quotes import inner
from ekiden_simulator.answers.story import Story, short_date
from ekiden_simulator.answers.theme import width


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph. Where space is short the parts with the highest `rank` go first; 0 stays."""

    text: str
    rank: int = 0


def content(story: Story) -> str:
    """Return the complete post, ready to paste, within the platform's limit as the platform counts."""
    platform = story.brief.platform
    parts = _LAYOUTS.get(platform, _medium if story.brief.limit < 1000 else _article)(story)
    measure: Callable[[str], int] = width if platform in {"twitter", "x"} else len
    return _fitted([part for part in parts if part.text], story.brief.limit, measure)


def visual_guide(story: Story) -> str:
    """Return what to show with the post, in the platform's own form."""
    pattern = story.words["layout"]["visuals"].get(story.brief.platform, "{visual}")
    heads = [point["head"] for point in story.format["points"]]
    title = inner(story.title, story.brief.language)
    return pattern.format(title=title, h1=heads[0], h2=heads[1], h3=heads[2], visual=story.format["visual"])


def _fitted(parts: list[Part], limit: int, measure: Callable[[str], int]) -> str:
    while True:
        text = "\n\n".join(part.text for part in parts)
        if measure(text) <= limit:
            return text
        rank = max(part.rank for part in parts)
        if rank == 0:
            return _trimmed(parts, measure(text) - limit)
        last = max(index for index, part in enumerate(parts) if part.rank == rank)
        del parts[last]


def _trimmed(parts: list[Part], excess: int) -> str:
    """Shorten the longest paragraph before the last one, which are the hashtags, by at least `excess`."""
    *body, tags = [part.text for part in parts]
    longest = max(range(len(body)), key=lambda index: len(body[index]))
    kept = max(len(body[longest]) - excess - 2, 0)
    body[longest] = body[longest][:kept].rstrip() + "…"
    return "\n\n".join([*body, tags])


def _short(story: Story) -> list[Part]:
    body = [Part(text, rank) for rank, text in enumerate(story.format["brief"].split("\n\n"))]
    return [Part(story.hook), *body, Part(story.call, len(body)), Part(" ".join(story.tags))]


def _medium(story: Story) -> list[Part]:
    """The points in full where they fit, else what they come down to."""
    pair, points = story.words["joins"]["pair"], story.format["points"]
    full = [Part(f"{point['head'].rstrip('?')}{pair}{point['text']}") for point in points]
    for body in (full, [Part(story.format["brief"])]):
        parts = [Part(story.hook), *body, Part(story.call), Part(" ".join(story.tags))]
        if sum(len(part.text) + 2 for part in parts) <= story.brief.limit:
            break
    return [parts[0], Part(story.format["intro"], 2), *parts[1:-2], Part(story.format["close"], 3), *parts[-2:]]


def _caption(story: Story) -> list[Part]:
    return [
        Part(story.hook),
        Part(story.format["intro"]),
        *_numbered(story),
        Part(story.format["close"]),
        Part(story.call),
        Part(_cited(story, "credit")),
        Part(" ".join(story.tags)),
    ]


def _article(story: Story) -> list[Part]:
    return [
        Part(story.hook),
        Part(story.words["joins"]["sentence"].join([story.format["intro"], _mention(story)]).strip()),
        *_numbered(story),
        Part(story.format["step"], 1),
        Part(story.format["close"]),
        Part(story.call),
        Part(_cited(story, "link")),
        Part(" ".join(story.tags)),
    ]


def _note(story: Story) -> list[Part]:
    layout, words = story.words["layout"], story.words
    topic = [story.brief.weave(story.topic[name]) for name in ("summary", "whyNow")]
    links = "\n".join(_cited(story, "link", index) for index in range(len(story.sources)))
    return [
        Part(story.hook),
        Part(story.format["intro"]),
        Part(layout["forWhom"].format(audience=story.format["audience"])),
        Part(f"## {layout['background']}"),
        Part(words["joins"]["sentence"].join(topic)),
        Part(_mention(story, 1), 1),  # the first one is what the topic above rests on
        *(Part(f"## {point['head']}\n\n{point['text']}") for point in story.format["points"]),
        Part(f"## {layout['stepHead']}\n\n{story.format['step']}"),
        Part(f"## {layout['closeHead']}\n\n{story.format['close']}"),
        Part(story.call),
        Part(links),
        Part(" ".join(story.tags)),
    ]


def _clip(story: Story) -> list[Part]:
    marks = story.words["layout"]["clip"]
    lines = [story.hook, story.format["intro"], *(_said(story, n) for n in range(3)), story.format["close"]]
    caption = [story.words["layout"]["caption"], story.title, story.call, " ".join(story.tags)]
    return [*(Part(f"{mark}\n{line}") for mark, line in zip(marks, lines, strict=True)), Part("\n".join(caption))]


def _video(story: Story) -> list[Part]:
    layout, joint = story.words["layout"], story.words["joins"]["sentence"]
    points = [f"{_said(story, n)}" for n in range(3)]
    closing = joint.join([story.format["step"], story.format["close"], story.call])
    opening = joint.join([story.format["intro"], _mention(story)])
    lines = [story.hook, opening, *points, closing]
    links = [_cited(story, "link", index) for index in range(len(story.sources))]
    described = [layout["description"], story.title, story.format["angle"], *links, " ".join(story.tags)]
    return [
        *(Part(f"{mark}\n{line}") for mark, line in zip(layout["video"], lines, strict=True)),
        Part("\n".join(described)),
    ]


def _numbered(story: Story) -> list[Part]:
    layout = story.words["layout"]
    pairs = zip(layout["numbered"], story.format["points"], strict=True)
    return [
        Part(layout["section"].format(number=number, head=point["head"]) + "\n" + point["text"])
        for number, point in pairs
    ]


def _said(story: Story, index: int) -> str:
    point = story.format["points"][index]
    return point["text"] + "\n" + story.words["layout"]["onScreen"].format(head=point["head"])


def _mention(story: Story, index: int = 0) -> str:
    """Tell what a source says, with its title and date: the main one, or another where there is one."""
    source = story.sources[min(index, len(story.sources) - 1)] if story.sources else None
    sentence = source and sentence_of(source, story.words)
    if not source or not sentence:
        return _cited(story, "credit")
    patterns = story.words["layout"]["evidence"]
    title, date = inner(source.title, story.brief.language), short_date(story.words, source.date)
    quoted = inner(sentence, story.brief.language)
    return patterns[story.index % len(patterns)].format(source=title, date=date, sentence=sentence, quoted=quoted)


def _cited(story: Story, kind: str, index: int = 0) -> str:
    if not story.sources:
        return ""
    source, layout = story.sources[index], story.words["layout"]
    pattern = layout["link"] if kind == "link" else layout["credit"]
    return _quoted(story, pattern, source.title, source.date, source.url)


def _quoted(story: Story, pattern: str, title: str, day: str | None, url: str) -> str:
    return pattern.format(source=inner(title, story.brief.language), date=short_date(story.words, day), url=url)


_LAYOUTS: dict[str, Callable[[Story], list[Part]]] = {
    "twitter": _short,
    "x": _short,
    "threads": _medium,
    "instagram": _caption,
    "tiktok": _clip,
    "youtube": _video,
    "linkedin": _article,
    "note": _note,
}
