"""What a prompt tells the one who answers: theme, style, platform, language, day, sources and earlier results."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ekiden_simulator.answers.sources import Source, shown_sources, tagged_sources
from ekiden_simulator.answers.theme import Theme, theme_of
from ekiden_simulator.answers.wording import Language, Wording, wording

_THEME = re.compile(r"^[ \t]*(?:テーマ|主題|題材|Theme|Topic|Subject)[ \t]*[:：][ \t]*(\S.*)$", re.MULTILINE)
_SECTION = re.compile(r"<(\w+)[^<>]*>\s*^[ \t]*[^\s<>:：][^<>:：\n]{0,29}[:：][ \t]*(\S.*)$", re.MULTILINE)
"""The first line of a delimited section says what an unknown workflow is about: `<input>`, then `Market: bicycles`."""
_QUESTION = re.compile(r"^[ \t]*(?:質問|問い|Question|Query)[ \t]*[:：][ \t]*(\S.*)$", re.MULTILINE)
_STYLE = re.compile(r"^[ \t]*(?:スタイル|Style)[ \t]*[:：][ \t]*(\w+)", re.MULTILINE)
_PLATFORM = re.compile(r"^[ \t]*(?:プラットフォーム|Platform)[ \t]*[:：][ \t]*(\w+)", re.MULTILINE)
_TODAY = re.compile(r"^[ \t]*(?:今日|本日|日付|Today|Date)[ \t]*[:：][ \t]*(\d{4}-\d\d-\d\d)", re.MULTILINE)
_LIMIT = re.compile(r"^[ \t]*(?:本文の上限|Limit of the content)[ \t]*[:：][ \t]*(\d+)", re.MULTILINE)
_HASHTAGS = re.compile(r"^[ \t]*(?:ハッシュタグ|Hashtags)[ \t]*[:：][ \t]*(\d+)\D+?(\d+)", re.MULTILINE)
_ITEM = re.compile(r'<(\w+) number="(\d+)">(.*?)</\1>', re.DOTALL)
_FIELD = re.compile(r"<(\w+)>([^<]*)</\1>")
_TAG = re.compile(r"<[^<>]*>")
_ABOUT = re.compile(
    r"(?:([^、。「」\s]{2,40})」?について|\b(?:about|regarding)\s+([^.?!,;:]{3,60}?)(?=\s+(?:in|for|with|as|to)\b|[.?!,;:]|$))"
)
_JAPANESE = re.compile(r"[ぁ-んァ-ヶ]")
_LIMITS = {"twitter": 280, "x": 280, "threads": 500, "instagram": 2200, "tiktok": 2200, "youtube": 5000, "note": 8000}
_NO_DAY = date(2026, 1, 5)


@dataclass(frozen=True)
class Item:
    """A numbered element of an earlier result, such as a concept: its plain fields and the sources inside it."""

    fields: Mapping[str, str]
    sources: list[Source]


@dataclass(frozen=True)
class Brief:
    """A prompt, read. `today` is None where the prompt names no day; `limit` is in the platform's own count."""

    language: Language
    theme: Theme
    question: str | None
    style: str
    platform: str
    today: date | None
    limit: int
    most_hashtags: int
    sources: list[Source]
    items: Mapping[tuple[str, int], Item]

    @property
    def for_a_platform(self) -> bool:
        """A post is wanted. Whoever names no platform wants a report, or a part of one."""
        return bool(self.platform)

    @property
    def words(self) -> Wording:
        return wording(self.language, self.platform)

    @property
    def day(self) -> date:
        """The day to count from, also where the prompt names none."""
        return self.today or _NO_DAY

    def weave(self, text: str, **more: str) -> str:
        """Put the theme, and whatever else a text asks for, into it."""
        return text.format(t=self.theme.name, T=self.theme.start, **more)

    def item(self, number: int, *kinds: str) -> Item | None:
        """Return the first of these kinds of earlier results that the prompt shows under this number."""
        return next((self.items[kind, number] for kind in kinds if (kind, number) in self.items), None)


def read_brief(text: str) -> Brief:
    """Read a prompt. What it does not say is taken from its platform, or from what is usual."""
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair could not be sent back
    language = _language(text)
    question = _first(_QUESTION, text)
    theme = theme_of(_first(_THEME, text) or _section(text) or question or _opening(text), language)
    platform = (_first(_PLATFORM, text) or "").lower()
    day = _first(_TODAY, text)
    tags = _HASHTAGS.search(text)
    return Brief(
        language=language,
        theme=theme,
        question=question,
        style=_first(_STYLE, text) or "insight",
        platform=platform,
        today=_day(day),
        limit=int(_first(_LIMIT, text) or _LIMITS.get(platform, 3000)),
        most_hashtags=int(tags[2]) if tags else 3,
        sources=shown_sources(text, theme.text),
        items={(kind, int(number)): _item(body) for kind, number, body in _ITEM.findall(text)},
    )


def _language(text: str) -> Language:
    label = _THEME.search(text)
    if label:
        return "ja" if _JAPANESE.search(label[0].split(":")[0].split("：")[0]) or "題" in label[0][:4] else "en"
    sample = text[:4000]
    return "ja" if len(_JAPANESE.findall(sample)) * 12 > len(sample) else "en"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return next(group for group in found.groups() if group).strip() if found else None


def _section(text: str) -> str | None:
    found = _SECTION.search(text)
    return found[2].strip() if found else None


def _opening(text: str) -> str:
    """Return what a prompt without labels is about: what its first line says it is, else the line."""
    line = next((line.strip() for line in _TAG.sub("", text).split("\n") if line.strip()), "")
    return _first(_ABOUT, line) or line


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None  # further out a calendar ends


def _item(body: str) -> Item:
    return Item({name: " ".join(value.split()) for name, value in _FIELD.findall(body)}, tagged_sources(body))
