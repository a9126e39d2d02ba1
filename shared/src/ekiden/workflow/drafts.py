"""Drafts: what a finished session gives to its user, joined from the results the workflow names, and checked.

Results were held against the searches when they entered the session. A draft is held against them once more, and more
strictly: it may hold no address but those that a search returned, the user's own input included.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from ekiden.domain.session import Session
from ekiden.workflow.addresses import sites_named
from ekiden.workflow.citations import cleaned, is_source
from ekiden.workflow.definition import Definition
from ekiden.workflow.fitting import fit
from ekiden.workflow.flags import Kind, flag, parts
from ekiden.workflow.package import Workflow
from ekiden.workflow.sources import Sources, sources_of

Fields = Mapping[str, object]
_MAY_BE_NONE = frozenset({"sourceUrl", "newsSource"})
_WRITTEN = ("title", "hook", "content")
_KANA = re.compile(r"[\u3041-\u309f\u30a0-\u30ff]")
_JAPANESE = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_ENOUGH_TO_TELL = 20
"""Letters below which a text may be a name and says nothing of its language."""


@dataclass(frozen=True)
class Draft:
    """One draft. `flags` names what the checks found and repaired; they never fail a paid answer."""

    id: str
    session: str
    concept_number: int
    fields: Fields
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where one field of a draft comes from: its value, and what the checks of its step found in it."""

    value: object
    flags: tuple[str, ...] = ()


def make_drafts(session: Session, workflow: Workflow) -> list[Draft]:
    """Join the drafts of a completed session under ids of their own, `<session>.g<n>.<concept>`."""
    definition = workflow.definition
    generation = session.current.generation
    found = sources_of(session, workflow.plan)
    own_lines = workflow.prompts.own_lines(session.language)
    made: list[Draft] = []
    for number in range(1, definition.drafts.count + 1):
        cells = {name: _cell(session, definition, path, number) for name, path in definition.drafts.fields.items()}
        earlier = [flag(Kind(parts(one)[0]), name) for name, cell in cells.items() for one in cell.flags]
        fields, flags = _checked({name: cell.value for name, cell in cells.items()}, found)
        fields, leaked = _without_prompt(fields, own_lines)
        fields, unfit = _fitted(fields, session, definition)
        flags = [*earlier, *flags, *leaked, *unfit, *_other_language(fields, session.language)]
        once = tuple(dict.fromkeys(flags))
        made.append(Draft(f"{session.id}.g{generation}.{number}", session.id, number, fields, once))
    return made


def _cell(session: Session, definition: Definition, path: str, number: int) -> _Cell:
    step_path, _, name = path.rpartition(".")
    step_path, _, rows_name = step_path.rpartition(".")
    step = session.steps[definition.step_key(step_path)]
    rows = cast("Mapping[str, list[Mapping[str, object]]]", step.result)[rows_name]
    for index, row in enumerate(rows):
        if row.get(definition.drafts.key) == number:
            at = f"{rows_name}[{index}].{name}"
            told = tuple(one for one in step.flags if re.match(rf"{re.escape(at)}(?![\w])", parts(one)[1]))
            return _Cell(row.get(name), told)
    return _Cell(None)


def _checked(fields: Fields, found: Sources) -> tuple[dict[str, object], list[str]]:
    """Without what no search returned, and with the full record of each source."""
    answer, told = cleaned(dict(fields), found, found.urls)
    checked = dict(cast("Fields", answer))
    flags = [flag(Kind(kind), re.split(r"[.\[]", place)[0]) for kind, place in map(parts, told)]
    for name, value in checked.items():
        if isinstance(value, list) and value and all(is_source(row) for row in cast("list[object]", value)):
            rows = cast("list[Mapping[str, str]]", value)
            checked[name] = [found.by_url[row["url"]].record() for row in rows]
    flags += [flag(Kind.MISSING, name) for name, value in checked.items() if value is None and name not in _MAY_BE_NONE]
    hosts = {urlsplit(url).hostname or "" for url in found.urls}
    for name in _WRITTEN:
        if any(not _is_of(site, hosts) for site in sites_named(_text(checked, name))):
            flags.append(flag(Kind.UNKNOWN_SITE_NAMED, name))
    return checked, flags


def _is_of(site: str, hosts: set[str]) -> bool:
    return any(host == site or host.endswith(f".{site}") for host in hosts)


def _without_prompt(fields: dict[str, object], own_lines: frozenset[str]) -> tuple[dict[str, object], list[str]]:
    left = {name: _unsaid(value, own_lines) for name, value in fields.items()}
    return left, [flag(Kind.PROMPT_TEXT_REMOVED, name) for name in fields if left[name] != fields[name]]


def _unsaid(value: object, own_lines: frozenset[str]) -> object:
    match value:
        case str():
            said = sorted((line for line in own_lines if line in value), key=len, reverse=True)
            left = value
            for line in said:
                left = left.replace(line, "").strip()
            return left
        case list():
            return [_unsaid(one, own_lines) for one in cast("list[object]", value)]
        case dict():
            return {name: _unsaid(one, own_lines) for name, one in cast("Fields", value).items()}
        case _:
            return value


def _fitted(fields: dict[str, object], session: Session, definition: Definition) -> tuple[dict[str, object], list[str]]:
    """With a content that its platform takes. `thread` is there only where the content became one."""
    platform = definition.platforms.get(str(session.input.get("platform", "")))
    if platform is None or not isinstance(fields.get("content"), str):
        return fields, []
    listed = fields.get("hashtags")
    tags = [str(tag) for tag in cast("list[object]", listed)] if isinstance(listed, list) else None
    made = fit(_text(fields, "content"), tags, platform)
    fitted = {**fields, "content": made.content}
    if made.hashtags is not None:
        fitted["hashtags"] = list(made.hashtags)
    if made.thread:
        fitted["thread"] = list(made.thread)
    return fitted, list(made.flags)


def _other_language(fields: Fields, language: str) -> list[str]:
    """Told by the script alone, which is certain where it tells: Japanese has kana, and English no Japanese."""
    text = _text(fields, "content")
    letters = len(_LETTER.findall(text))
    if letters < _ENOUGH_TO_TELL:
        return []
    foreign = {
        "ja": not _KANA.search(text),
        "en": len(_JAPANESE.findall(text)) > letters / 2,
    }.get(language, False)
    return [flag(Kind.OTHER_LANGUAGE, "content")] if foreign else []


def _text(fields: Fields, name: str) -> str:
    return str(fields.get(name) or "")
