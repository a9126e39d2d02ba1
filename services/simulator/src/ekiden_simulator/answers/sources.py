"""Sources as a prompt shows them. Only these may be cited: an answer never makes up an address."""

import re
from dataclasses import dataclass
from html import unescape

_SOURCE = re.compile(r"<source\s([^<>]*)>(.*?)</source>", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_BARE = re.compile(r"https?://[^\s<>\"'」）)\]、。,]+")


@dataclass(frozen=True, slots=True)
class Source:
    """`date` is `YYYY-MM-DD`, or None where the prompt shows none."""

    id: str
    title: str
    url: str
    date: str | None

    def to_evidence(self) -> dict[str, str | None]:
        return {"sourceId": self.id, "id": self.id, "title": self.title, "url": self.url, "date": self.date}


def tagged_sources(text: str) -> list[Source]:
    """Read the `<source id url date>title</source>` elements of a prompt, each address once."""
    found: dict[str, Source] = {}
    for attributes, title in _SOURCE.findall(text):
        known = dict(_ATTRIBUTE.findall(attributes))
        url = unescape(known.get("url", ""))
        if url.startswith(("https://", "http://")) and url not in found:
            label = known.get("id") or f"S{len(found) + 1}"
            found[url] = Source(label, title.strip(), url, known.get("date") or None)
    return list(found.values())


def shown_sources(text: str, title: str) -> list[Source]:
    """Read a prompt's sources, from plain addresses where it has no `<source>` elements. `title` names those."""
    tagged = tagged_sources(text)
    if tagged:
        return tagged
    urls = dict.fromkeys(_BARE.findall(text))
    return [Source(f"S{number}", title, url, None) for number, url in enumerate(urls, 1)]


def share(sources: list[Source], index: int, count: int) -> list[Source]:
    """Return the part of the sources that belongs to item `index` of `count`; all of them when there are too few."""
    part = sources[len(sources) * index // count : len(sources) * (index + 1) // count] if count else []
    return part or sources
