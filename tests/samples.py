"""Drafts to read, in docs/samples: what a session gives on the simulator, the same again with the same seed.

`make samples` writes them: three posts of viral-content and a brief of market-brief, in Japanese and in English.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from ekiden.workflow.drafts import Draft
from tests.simulated import WORKFLOWS, Simulated, simulated

FOLDER = Path(__file__).parents[1] / "docs" / "samples"
_TITLES = {"ja": ("シミュレーターの原稿", "指示と出典"), "en": ("Drafts of the simulator", "Instructions and sources")}
_ABOUT = {
    "ja": "シミュレーターの回答から作った見本です。出典と日付は架空で、URLは例示用のドメインです。",
    "en": "Made of the simulator's answers: sources and dates are invented, their domains reserved for examples.",
}


class Sample(NamedTuple):
    """A session that is shown."""

    workflow: str
    language: str
    given: Mapping[str, str]


SAMPLES: Mapping[str, Sample] = {
    "viral-content.ja.md": Sample(
        "viral-content", "ja", {"theme": "介護と仕事の両立", "style": "education", "platform": "note"}
    ),
    "viral-content.en.md": Sample(
        "viral-content", "en", {"theme": "remote work", "style": "education", "platform": "linkedin"}
    ),
    "market-brief.ja.md": Sample("market-brief", "ja", {"market": "電動アシスト自転車", "region": "日本"}),
    "market-brief.en.md": Sample("market-brief", "en", {"market": "cargo bicycles for couriers", "region": "Germany"}),
}


def page(sample: Sample) -> str:
    """A session's drafts as one page of Markdown."""
    ran = simulated(WORKFLOWS / sample.workflow, sample.given, sample.language)
    return "\n".join([*_head(ran, sample), *(line for draft in ran.drafts for line in _draft(draft, sample.language))])


def _head(ran: Simulated, sample: Sample) -> Iterator[str]:
    title = ran.workflow.definition.title[sample.language]
    yield f"# {_TITLES[sample.language][0]}: {title}\n"
    yield f"{_ABOUT[sample.language]}\n"
    yield from (f"- {name}: {value}" for name, value in ran.session.input.items() if value)
    yield ""


def _draft(draft: Draft, language: str) -> Iterator[str]:
    """The title, the text as it is pasted, and what else the draft holds folded below it."""
    fields = dict(draft.fields)
    yield f"## {draft.concept_number}. {fields.pop('title')}\n"
    yield from (f"> {line}".rstrip() for line in str(fields.pop("content")).split("\n"))
    yield f"\n<details><summary>{_TITLES[language][1]}</summary>\n"
    for name, value in (fields | {"flags": list(draft.flags)}).items():
        yield from _field(name, value)
    yield "\n</details>\n"


def _field(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"- **{name}**: {_told(value)}"
    elif value:
        yield f"- **{name}**:"
        yield from (f"  - {_told(item)}" for item in cast("list[object]", value))


def _told(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    row = cast("dict[str, Any]", value)
    if "url" in row:
        return f"[{row['title']}]({row['url']}) {row['date']} ({row['sourceId']})"
    return ": ".join(str(part) for part in row.values())


if __name__ == "__main__":
    for name, sample in SAMPLES.items():
        (FOLDER / name).write_text(page(sample), encoding="utf-8")
