"""One of an answer's three lines of thought: a topic, the form it takes and the sources it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ekiden_simulator.answers.brief import Brief
from ekiden_simulator.answers.hashtags import hashtags
from ekiden_simulator.answers.sources import Source, share
from ekiden_simulator.answers.wording import Format, Topic, Wording
from ekiden_simulator.chance import fraction

COUNT = 3
_DAYS_AHEAD = (2, 5, 8)
_ALL = 20
"""What stands alone rests on as many sources as this."""


@dataclass(frozen=True)
class Story:
    """What item `index` of a list is about; the same in every phase, because later prompts show the earlier results."""

    brief: Brief
    seed: int
    index: int
    count: int
    category: str
    topic: Topic
    form: str
    format: Format
    title: str
    hook: str
    call: str
    sources: list[Source]

    @property
    def words(self) -> Wording:
        return self.brief.words

    @property
    def number(self) -> int:
        return self.index + 1

    def at(self, index: int, count: int = COUNT) -> "Story":
        """Return the story of item `index` of `count` of the same answer."""
        same = (index, count) == (self.index, self.count)
        return self if same else story(self.brief, index, self.seed, count)

    @property
    def main_source(self) -> Source | None:
        return self.sources[0] if self.sources else None

    @property
    def tags(self) -> list[str]:
        words = self.words["hashtags"]
        extra = words.get(self.brief.style, words["insight"])
        return hashtags(self.brief.theme, extra, min(self.brief.most_hashtags, 4), self.index)

    @property
    def timing(self) -> str:
        day = self.brief.day + timedelta(days=_DAYS_AHEAD[self.index % COUNT])
        return self.words["timing"][self.index % COUNT].format(date=dated(self.words, day))


def story(brief: Brief, index: int, seed: int, count: int = COUNT) -> Story:
    """Find what item `index` is about: from the results in the prompt, else chosen by theme and seed."""
    words = brief.words
    category = categories(brief)[index % 4]
    shown = brief.item(index + 1, "concept")
    form = _form(brief, index, shown.fields.get("format") if shown else None)
    spoken = words["formats"][form]
    hook = _pick(spoken["hooks"], seed, brief, form, "hook")
    known: Mapping[str, str] = shown.fields if shown else {}
    source_item = brief.item(index + 1, "post", "concept", "opportunity", "topic")
    own = source_item.sources if source_item else []
    return Story(
        brief=brief,
        seed=seed,
        index=index,
        count=count,
        category=category,
        topic=words["topics"][category],
        form=form,
        format=spoken,
        title=known.get("title") or brief.weave(spoken["title"]),
        hook=known.get("hook") or brief.weave(hook),
        call=_pick(spoken["ctas"], seed, brief, form, "call"),
        sources=(own or share(brief.sources, index, count))[: 3 if count > 1 else _ALL],
    )


def categories(brief: Brief) -> list[str]:
    """Return the kinds of search in the order that this theme gets them; the fourth is left out of a plan."""
    kinds = list(brief.words["topics"])
    turn = int(fraction(0, brief.theme.text, "categories") * len(kinds))
    return kinds[turn:] + kinds[:turn]


def dated(words: Wording, day: date) -> str:
    """A date with its weekday, as people write it."""
    return _dated(words, words["dates"]["dated"], day)


def short_date(words: Wording, iso: str | None) -> str:
    """A source's date as people write it, or that there is none."""
    try:
        day = date.fromisoformat((iso or "")[:10])
    except ValueError:
        return words["search"]["undated"]
    return _dated(words, words["dates"]["day"], day)


def month_name(words: Wording, day: date) -> str:
    return _dated(words, words["dates"]["month"], day)


def month_and_year(words: Wording, day: date) -> str:
    return _dated(words, words["dates"]["since"], day)


def _dated(words: Wording, pattern: str, day: date) -> str:
    dates = words["dates"]
    weekday, month = dates["weekdays"][day.weekday()], dates["months"][day.month - 1]
    return pattern.format(year=day.year, month=day.month, day=day.day, weekday=weekday, monthname=month)


def _form(brief: Brief, index: int, shown: str | None) -> str:
    """The form that the prompt's concept names; else the style's first one, then two of its others."""
    named = [key for key, value in brief.words["formats"].items() if value["name"] == shown]
    if named:
        return named[0]
    styles = brief.words["styles"]
    first, *others = styles.get(brief.style, styles["insight"])
    turn = int(fraction(0, brief.theme.text, "forms") * len(others))
    return [first, *others[turn:], *others[:turn]][index % COUNT]


def _pick(options: list[str], seed: int, brief: Brief, *purpose: str) -> str:
    return options[int(fraction(seed, brief.theme.text, brief.platform, *purpose) * len(options))]
