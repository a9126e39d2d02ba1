"""Flags: what the checks of an answer found, and what they did about it. None of them fails a paid answer.

A flag is written `kind` or `kind:place`, where the place is the field: of a draft by its name (`content`), of a step's
result by its path (`topics[0].evidence`). The page has words for every kind, in each of its languages.
"""

from enum import StrEnum


class Kind(StrEnum):
    """The first ones took something out or put it right, the others ask a person to look."""

    FOREIGN_URL_REMOVED = "foreign_url_removed"
    """An address that no search of the session returned was taken out."""
    FOREIGN_SOURCE_REMOVED = "foreign_source_removed"
    """A source that no search of the session returned was taken out."""
    SOURCE_CORRECTED = "source_corrected"
    """Id and address of a source did not belong together, or one of them was none: the other one decided."""
    HIDDEN_TEXT_REMOVED = "hidden_text_removed"
    """Characters that are not seen, or turn the direction of the text, were taken out."""
    PROMPT_TEXT_REMOVED = "prompt_text_removed"
    """A sentence of our own prompts was taken out."""
    HASHTAGS_REPAIRED = "hashtags_repaired"
    """List and text have the same hashtags now, each once, and no more than the platform takes."""
    LINK_REMOVED_FROM_BODY = "link_removed_from_body"
    """The platform's posts carry no link in their text; the address is among the sources."""
    SPLIT_INTO_THREAD = "split_into_thread"
    """Too long for one post: `thread` has it in posts."""

    NO_SOURCES = "no_sources"
    """It rests on no search result."""
    UNKNOWN_SITE_NAMED = "unknown_site_named"
    """It names a site that no search returned, in a form that some platforms make a link of."""
    OTHER_LANGUAGE = "other_language"
    """It is not written in the session's language."""
    MISSING = "missing"
    """The model left it out."""
    CONTENT_TOO_LONG = "content_too_long"
    HASHTAG_COUNT = "hashtag_count"
    HASHTAGS_DIFFER = "hashtags_differ"
    """The list has hashtags that the text has no room for."""
    LINK_IN_BODY = "link_in_body"
    """An address stands within a sentence, where the platform's posts carry none."""


def flag(kind: Kind, place: str = "") -> str:
    return f"{kind}:{place}" if place else kind.value


def parts(text: str) -> tuple[str, str]:
    """The kind and the place of a flag."""
    kind, _, place = text.partition(":")
    return kind, place
