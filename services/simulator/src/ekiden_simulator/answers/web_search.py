"""A simulated web search: results on the theme, at addresses reserved for examples, and a report citing them."""

import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from ekiden_simulator.answers.brief import Brief, read_brief
from ekiden_simulator.answers.quotes import inner
from ekiden_simulator.answers.story import categories, month_name, short_date
from ekiden_simulator.answers.theme import shortened
from ekiden_simulator.answers.wording import Finding
from ekiden_simulator.chance import fraction

_CATEGORY = re.compile(r"^[ \t]*(?:観点|Lens|Category)[ \t]*[:：][ \t]*(\w+)", re.MULTILINE)
_AGES = ((2, 8), (9, 15), (16, 25), (26, 40))
"""Days before today, from and to, of the results in order: the newest first."""
_QUERY_WIDTH = 120
_LENSES = ("demand", "players", "customers", "rules", "figures", "counterevidence", "schedule")
"""What a report's questions ask for, in their order."""
_OF_POSTS = "viral_patterns"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One result. Dates are `YYYY-MM-DD`; as with the provider they may be missing."""

    url: str
    title: str
    snippet: str
    date: str | None
    last_updated: str | None


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The report, what was searched for, and the results in the order of their marks `[1]`, `[2]`, …"""

    text: str
    queries: list[str]
    results: list[SearchResult]


def search(prompt: str, seed: int) -> SearchAnswer:
    """Answer a research question: in Japanese when it is asked in Japanese, dated before the day it names."""
    brief = read_brief(prompt)
    question = brief.question or brief.theme.text
    findings = brief.words["findings"][_category(prompt, brief, question)]
    results = [_result(brief, finding, question, index, seed) for index, finding in enumerate(findings)]
    queries = [shortened(question, _QUERY_WIDTH), f"{brief.theme.text} {month_name(brief.words, brief.day)}"]
    return SearchAnswer(_report(brief, findings, results), queries, results)


def _category(prompt: str, brief: Brief, question: str) -> str:
    """The kind of findings: as the prompt names it, else what a question of ours asks for, else one by chance."""
    named = _CATEGORY.search(prompt)
    if named and named[1] in brief.words["findings"]:
        return named[1]
    report = brief.words["report"]
    ours = dict(zip(map(brief.weave, [*report["questions"], *report["followUps"]]), _LENSES, strict=True))
    if question in ours:
        return ours[question]
    kinds = [kind for kind in categories(brief) if brief.for_a_platform or kind != _OF_POSTS]
    return kinds[int(fraction(0, question) * len(kinds))]


def _result(brief: Brief, finding: Finding, question: str, index: int, seed: int) -> SearchResult:
    chance = fraction(seed, question, brief.theme.text, str(index))
    first, last = _AGES[index % len(_AGES)]
    published = brief.day - timedelta(days=first + int(chance * (last - first + 1)))
    name = blake2b(f"{seed}\0{question}\0{brief.theme.text}\0{index}".encode(), digest_size=4).hexdigest()
    updated = min(published + timedelta(days=int(chance * 5)), brief.day - timedelta(days=1))
    return SearchResult(
        url=f"https://{finding['host']}/{finding['path']}/{published:%Y%m%d}-{name}",
        title=brief.weave(finding["title"]),
        snippet=brief.weave(finding["snippet"]),
        date=published.isoformat() if brief.today else None,
        last_updated=updated.isoformat() if brief.today else None,
    )


def _report(brief: Brief, findings: list[Finding], results: list[SearchResult]) -> str:
    phrases = brief.words["search"]
    lines = [brief.weave(phrases["intro"])]
    for number, (finding, result) in enumerate(zip(findings, results, strict=True), 1):
        lines.append(
            phrases["finding"].format(
                n=number,
                sentence=finding["sentence"],
                title=inner(result.title, brief.language),
                date=short_date(brief.words, result.date),
                url=result.url,
            )
        )
    return "\n\n".join([*lines, phrases["outro"]])
