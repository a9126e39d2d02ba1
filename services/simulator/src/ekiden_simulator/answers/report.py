"""The report, for whoever names no platform: what the sources say, what follows from it, and what stays open."""

from ekiden_simulator.answers.pages import sentence_of
from ekiden_simulator.answers.quotes import inner
from ekiden_simulator.answers.sources import Source
from ekiden_simulator.answers.story import Story, short_date

_KEY_POINTS = 4


def content(story: Story) -> str:
    """Return the whole report where it stands alone, a few paragraphs where it is one item of several."""
    return _whole(story) if story.count == 1 else _item(story)


def claim(story: Story, source: Source) -> str:
    """Return what a source says, as a sentence without its origin."""
    sentence = sentence_of(source, story.words)
    if sentence is None:
        return _of_title(story, source)
    return story.words["report"]["claim"].format(sentence=sentence)


def cited(story: Story, source: Source) -> str:
    """Return what a source says together with its title and date."""
    sentence = sentence_of(source, story.words)
    if sentence is None:
        return _of_title(story, source)
    return story.words["report"]["says"].format(sentence=sentence, **_origin(story, source))


def key_points(story: Story) -> list[str]:
    """Return what the sources say, one point each, never the same twice."""
    return list(dict.fromkeys(claim(story, source) for source in story.sources))[:_KEY_POINTS]


def summary(story: Story) -> str:
    report, first = story.words["report"], key_points(story)[:2]
    return _joined(story, [story.brief.weave(report["overview"]), *first, report["untold"]])


def title(story: Story) -> str:
    """Return a title of the whole, or for an item of several that of its main source."""
    source = story.main_source
    if story.count > 1 and source is not None:
        return source.title
    titles = story.words["report"]["titles"]
    return story.brief.weave(titles[story.seed % len(titles)])


def outlook(story: Story) -> str:
    texts = story.words["report"]["outlook"]
    return story.brief.weave(texts[story.index % len(texts)])


def _whole(story: Story) -> str:
    report = story.words["report"]
    points, detail, ahead, still_open, steps, sources = (f"## {head}" for head in report["heads"])
    rest = list(dict.fromkeys(cited(story, source) for source in story.sources))[_KEY_POINTS:]
    listed = [_link(story, source) for source in story.sources]
    return "\n\n".join(
        [
            summary(story),
            points,
            _bullets([cited(story, source) for source in story.sources[:_KEY_POINTS]]),
            *([detail, _bullets(rest)] if rest else []),
            ahead,
            outlook(story),
            still_open,
            _bullets(report["openQuestions"]),
            steps,
            _bullets(report["nextSteps"]),
            sources,
            _bullets(listed),
        ]
    )


def _item(story: Story) -> str:
    meanings = story.words["report"]["meanings"]
    said = list(dict.fromkeys(cited(story, source) for source in story.sources))
    return "\n\n".join([*said, meanings[story.index % len(meanings)]])


def _of_title(story: Story, source: Source) -> str:
    return story.words["report"]["saysOfTitle"].format(**_origin(story, source))


def _origin(story: Story, source: Source) -> dict[str, str]:
    return {
        "source": inner(source.title, story.brief.language),
        "date": short_date(story.words, source.date),
    }


def _link(story: Story, source: Source) -> str:
    origin = _origin(story, source)
    return story.words["layout"]["bare"].format(url=source.url, **origin)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _joined(story: Story, sentences: list[str]) -> str:
    return story.words["joins"]["sentence"].join(sentences)
