"""The page's languages: every text stands in `words/<language>.toml`, and numbers and times are written as there."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup, escape

from ekiden.domain.ids import Position
from ekiden.domain.told import Told

LANGUAGES = ("ja", "en")
DEFAULT = "en"
FOLDER = Path(__file__).parent / "words"
SENTENCES = Path(__file__).parent / "sentences"
"""What the API says, by its English: a language without a file of its own says it so."""


class Words:
    """The texts of one language. A key without a text is a bug, and raises KeyError."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = texts(language)
        self._sentences = sentences(language)

    def __call__(self, key: str, /, **values: object) -> str:
        return self._texts[key].format(**values)

    def has(self, key: str) -> bool:
        return key in self._texts

    def count(self, key: str, number: int, **values: object) -> str:
        """A text with a number: `<key>.one` or `<key>.other`, where the language tells them apart."""
        form = "one" if number == 1 else "other"
        return self(f"{key}.{form}", count=f"{number:,}", **values)

    def said(self, text: str, otherwise: str = "") -> Markup:
        """What the API says in English. A text that it only hands on stays as it is, unless `otherwise` is known."""
        if isinstance(text, Told):
            pattern, values = text.pattern, text.values
        elif text in self._sentences:
            pattern, values = text, dict[str, object]()
        elif otherwise and self._sentences:
            return self.said(otherwise)
        else:
            return Markup('<bdi lang="en">{}</bdi>').format(text)
        sentence = escape(self._sentences[pattern] if self._sentences else pattern)
        return sentence.format(**{name: self._value(name, value) for name, value in values.items()})

    def _value(self, name: str, value: object) -> Markup:
        """What stands in a sentence: another one, a list, a place on the course, or a text of somebody's, marked."""
        match value:
            case Told():
                return self.said(value)
            case tuple():
                listed = [self._value(name, each) for each in cast("tuple[object, ...]", value)]
                return escape(self("value.comma")).join(listed)
            case Position():
                return escape(self("value.position", phase=value.phase, step=self(f"step.{value.step}")))
            case "":
                return Markup()
            case _ if name == "error" and self.has(f"error.{value}"):
                return escape(self(f"error.{value}"))
            case _:
                return Markup("<bdi>{}</bdi>").format(value)

    def money(self, usd: float) -> str:
        """Cents for large sums, more digits for the small ones that calls cost."""
        digits = 2 if usd == 0 or usd >= 1 else 4 if usd >= 0.0001 else 6
        whole, _, part = f"{usd:,.{digits}f}".partition(".")
        return f"${whole}.{part.rstrip('0').ljust(2, '0')}"

    def seconds(self, span: float) -> str:
        if span < 60:
            return self("unit.seconds", n=f"{span:.1f}" if span < 10 else f"{span:.0f}")
        minutes, rest = divmod(round(span), 60)
        if minutes < 60:
            return self("unit.minutes", n=minutes, rest=f"{rest:02}")
        hours, minutes = divmod(minutes, 60)
        return self("unit.hours", n=hours, rest=f"{minutes:02}")

    def span(self, seconds: int) -> str:
        """A round number of seconds, as short as can be."""
        for unit, size in (("whole_hours", 3600), ("whole_minutes", 60)):
            if seconds % size == 0:
                return self(f"unit.{unit}", n=seconds // size)
        return self("unit.seconds", n=seconds)

    def moment(self, moment: datetime) -> str:
        """A time to the minute, in UTC; with a script the page shows the reader's own."""
        here = moment.astimezone(UTC)
        clock = f"{here:%H:%M}"
        return self("unit.moment", year=here.year, month=here.month, day=here.day, iso=f"{here:%Y-%m-%d}", clock=clock)

    def local(self, moment: datetime) -> str:
        """A moment as the clocks of its own time zone show it, with the day of the week."""
        weekday = self(f"weekday.{(moment.weekday() + 1) % 7}")
        clock = f"{moment.hour}:{moment:%M}"
        return self(
            "unit.local", month=moment.month, day=moment.day, iso=f"{moment:%m-%d}", weekday=weekday, clock=clock
        )

    def ago(self, moment: datetime, now: datetime) -> str:
        span = max(0, int((now - moment).total_seconds()))
        for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
            if span >= size:
                return self(f"ago.{unit}", n=span // size)
        return self("ago.now")


def in_language(texts: Mapping[str, str], language: str, otherwise: str) -> str:
    """A workflow's own text in the language of the page, else in the first it has."""
    return texts.get(language) or next(iter(texts.values()), otherwise)


@cache
def words(language: str) -> Words:
    return Words(language)


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language, by dotted key."""
    return dict(_flat(tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))))


@cache
def sentences(language: str) -> Mapping[str, str]:
    file = SENTENCES / f"{language}.toml"
    return cast("dict[str, str]", tomllib.loads(file.read_text("utf-8"))) if file.exists() else {}


def preferred(accept_language: str) -> str:
    """The language a browser asks for most (RFC 9110, 12.5.4), of those there are."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary in LANGUAGES and (quality := _quality(weight)) > 0:
            wanted.append((-quality, place, primary))
    return min(wanted)[2] if wanted else DEFAULT


def _quality(weight: str) -> float:
    try:
        return float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
    except ValueError:
        return 0.0


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(cast("Mapping[str, Any]", value), f"{before}{name}.")
        else:
            yield f"{before}{name}", str(value)
