"""Drafts: what a finished session gives to its user, joined from the results the workflow names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ekiden.domain.session import Session
from ekiden.workflow.definition import Definition
from ekiden.workflow.package import Workflow

Fields = Mapping[str, object]
_URL = re.compile(r"https?://[^\s<>\"'()\[\]{}（）「」『』【】、。，！？]+", re.IGNORECASE)
_BEHIND = ".,;:!?'*_"
_NARROW = (range(0x1100), range(0x2000, 0x200E), range(0x2010, 0x2020), range(0x2032, 0x2038))
"""What X counts as one character: twitter-text's `ranges` of weight 100; all else counts 200."""


@dataclass(frozen=True)
class Draft:
    """One draft. `flags` names what the checks found and repaired; they never fail a paid answer."""

    id: str
    session: str
    concept_number: int
    fields: Fields
    flags: tuple[str, ...]


def make_drafts(session: Session, workflow: Workflow) -> list[Draft]:
    """Join the drafts of a completed session under ids of their own, `<session>.g<n>.<concept>`.

    A URL that no search of this session returned is taken out and flagged: models invent addresses.
    """
    definition = workflow.definition
    generation = session.current.generation
    urls = found_urls(session)
    made: list[Draft] = []
    for number in range(1, definition.drafts.count + 1):
        fields = {name: _field(session, definition, path, number) for name, path in definition.drafts.fields.items()}
        checked, flags = _checked(fields, urls)
        flags += _platform_flags(checked, session, definition)
        made.append(Draft(f"{session.id}.g{generation}.{number}", session.id, number, checked, tuple(flags)))
    return made


def found_urls(session: Session) -> frozenset[str]:
    """Every address that a search of this session returned."""
    urls: set[str] = set()
    for key, step in session.steps.items():
        if key.endswith("E") and isinstance(step.result, list):
            for answer in cast("list[Mapping[str, list[Mapping[str, str]]]]", step.result):
                urls.update(source["url"] for source in answer.get("sources", []))
    return frozenset(urls)


def _field(session: Session, definition: Definition, path: str, number: int) -> object:
    step_path, _, field = path.rpartition(".")
    step_path, _, list_name = step_path.rpartition(".")
    result = cast("Mapping[str, list[Mapping[str, object]]]", session.steps[definition.step_key(step_path)].result)
    rows = [row for row in result[list_name] if row.get(definition.drafts.key) == number]
    return rows[0].get(field) if rows else None


def _checked(fields: Fields, urls: frozenset[str]) -> tuple[Fields, list[str]]:
    flags: list[str] = []
    checked = dict(fields)
    for name, value in fields.items():
        if isinstance(value, str) and name != "sourceUrl":
            checked[name] = _without_foreign_urls(value, urls)
            if checked[name] != value:
                flags.append(f"foreign_url_removed_from_{name}")
    if checked.get("sourceUrl") and checked["sourceUrl"] not in urls:
        checked["sourceUrl"] = None
        flags.append("foreign_url_removed")
    if isinstance(checked.get("sources"), list):
        sources = cast("list[Mapping[str, object]]", checked["sources"])
        known = [source for source in sources if source.get("url") in urls]
        if len(known) < len(sources):
            flags.append("foreign_source_removed")
        checked["sources"] = known
    flags += [f"missing_{name}" for name, value in checked.items() if value is None and name != "sourceUrl"]
    return checked, flags


def _without_foreign_urls(text: str, urls: frozenset[str]) -> str:
    """The text without addresses that no search returned. A sentence's full stop behind an address is not its part."""

    def kept(found: re.Match[str]) -> str:
        known = [url for url in urls if text.startswith(url, found.start())]
        if any(not found[0][len(url) :].strip(_BEHIND) for url in known):
            return found[0]
        return found[0][len(found[0].rstrip(_BEHIND)) :]

    return _URL.sub(kept, text)


def _platform_flags(fields: Fields, session: Session, definition: Definition) -> list[str]:
    platform = definition.platforms.get(session.input.get("platform", ""))
    if platform is None:
        return []
    flags: list[str] = []
    if weighted_length(str(fields.get("content") or ""), platform.full_width) > platform.max_length:
        flags.append("content_too_long")
    fewest, most = platform.hashtags
    tags = fields.get("hashtags")
    if isinstance(tags, list) and not fewest <= len(cast("list[object]", tags)) <= most:
        flags.append("hashtag_count")
    return flags


def weighted_length(text: str, full_width: int) -> int:
    """Length as a platform counts it: characters beyond the Latin scripts may count for more than one."""
    return sum(1 if any(ord(character) in narrow for narrow in _NARROW) else full_width for character in text)
