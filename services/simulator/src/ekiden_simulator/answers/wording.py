"""The texts of one language, from `phrases/`. `{t}` is the theme's place, `{T}` the same where a sentence starts."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, TypedDict, cast

Language = Literal["ja", "en"]


class Point(TypedDict):
    head: str
    text: str


class Format(TypedDict):
    """One form a post can take, with everything that is said in it. `brief` is its body where space is short."""

    name: str
    title: str
    hooks: list[str]
    angle: str
    audience: str
    intro: str
    points: list[Point]
    brief: str
    step: str
    close: str
    ctas: list[str]
    visual: str
    tone: str
    risk: str
    tip: str


class Topic(TypedDict):
    """What a search of one category brings up, and how a strategist sees it."""

    title: str
    summary: str
    whyNow: str
    emotion: str
    viralElements: list[str]
    audience: str
    angles: list[str]
    saturation: str
    concern: str
    velocityReason: str
    question: str
    intent: str


class Finding(TypedDict):
    host: str
    path: str
    title: str
    snippet: str
    sentence: str


class Dates(TypedDict):
    day: str
    dated: str
    weekdays: list[str]
    month: str
    since: str
    months: list[str]


class Layout(TypedDict):
    """The fixed parts of a composed post, by platform where they differ."""

    evidence: list[str]
    credit: str
    link: str
    bare: str
    numbered: list[str]
    section: str
    background: str
    stepHead: str
    closeHead: str
    forWhom: str
    clip: list[str]
    caption: str
    video: list[str]
    description: str
    onScreen: str
    visuals: dict[str, str]


class Opportunity(TypedDict):
    title: str
    window: list[str]


class Report(TypedDict):
    """A report's parts: what it asks, how it cites, what it concludes. `heads` are those of its sections in order."""

    titles: list[str]
    overview: str
    untold: str
    says: str
    saysOfTitle: str
    claim: str
    heads: list[str]
    outlook: list[str]
    meanings: list[str]
    openQuestions: list[str]
    nextSteps: list[str]
    risks: list[str]
    decisive: str
    reading: str
    questions: list[str]
    followUps: list[str]
    purposes: list[str]


class Joins(TypedDict):
    list: str
    sentence: str
    pair: str


class Wording(TypedDict):
    styles: dict[str, list[str]]
    formats: dict[str, Format]
    topics: dict[str, Topic]
    search: dict[str, str]
    findings: dict[str, list[Finding]]
    opportunity: Opportunity
    plan: dict[str, str]
    lists: dict[str, list[str]]
    timing: list[str]
    dates: Dates
    timeline: list[list[dict[str, str]]]
    kpis: list[dict[str, str]]
    tips: list[str]
    risks: list[dict[str, str]]
    hashtags: dict[str, list[str]]
    layout: Layout
    report: Report
    joins: Joins
    quote: list[str]
    sentences: list[str]
    labels: list[str]


_COMMENTED = frozenset({"instagram", "linkedin", "note", "tiktok", "youtube"})
_COMMENTS: Mapping[Language, Mapping[str, str]] = {
    "ja": {"返信": "コメント"},
    "en": {"replies": "comments", "Replies": "Comments", "reply": "comment"},
}
"""Where readers comment, and what that is called there instead of a reply."""
_OF_POSTS = ("formats", "timing", "timeline", "kpis", "tips", "risks", "plan", "lists")
"""What is said of a post and its readers; searches and their sources speak of no platform."""


@cache
def wording(language: Language, platform: str = "") -> Wording:
    """Read the texts of a language, once per process; where readers comment they do not reply."""
    text = (files("ekiden_simulator.answers") / "phrases" / f"{language}.json").read_text("utf-8")
    words = cast("Wording", json.loads(text))
    if platform not in _COMMENTED:
        return words
    said = json.dumps({name: words[name] for name in _OF_POSTS}, ensure_ascii=False)
    for reply, comment in _COMMENTS[language].items():
        said = said.replace(reply, comment)
    return cast("Wording", {**words, **json.loads(said)})
