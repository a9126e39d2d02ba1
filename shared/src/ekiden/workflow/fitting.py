"""A post held against its platform: what can be put right without harm is, the rest is flagged."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ekiden.workflow import hashtags as tags
from ekiden.workflow.addresses import addresses
from ekiden.workflow.definition import Platform
from ekiden.workflow.flags import Kind, flag

_WIDE = re.compile(r"[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
"""What X counts as two characters: all but twitter-text's `ranges` of weight 100."""
_END = re.compile(r"(?:[。！？]++[」』）]*+|(?<![.!?…])[.!?…]++[\"'”’)]*+(?=\s|\Z)|\n++)\s*+")
"""Where a sentence ends. It reads each character once, whatever a model writes: nothing is given back, and a run of
full stops is looked at from its first only."""
_LABEL = r"[^\n。.!?]{0,16}"
_WORDS_ALONE = re.compile(r"[^\w]*\Z")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A post as it fits. `hashtags` is None where the workflow has none; `thread` is empty for a single post."""

    content: str
    hashtags: tuple[str, ...] | None
    thread: tuple[str, ...]
    flags: tuple[str, ...]


def fit(content: str, hashtags: Sequence[str] | None, platform: Platform) -> Fitted:
    """Take links out of the body where the platform has none there, bring hashtags together, split what is too long."""
    flags: list[str] = []
    if platform.links != "body":
        content = _without_links(content, flags)
    if hashtags is not None:
        content, hashtags = _tagged(content, hashtags, platform, flags)
    thread: tuple[str, ...] = ()
    if weighted_length(content, platform.full_width) > platform.max_length:
        thread = split(content, platform)
        flags.append(flag(Kind.SPLIT_INTO_THREAD, "content") if thread else Kind.CONTENT_TOO_LONG.value)
    return Fitted(content, tuple(hashtags) if hashtags is not None else None, thread, tuple(flags))


def weighted_length(text: str, full_width: int) -> int:
    """Length as a platform counts it: characters beyond the Latin scripts may count for more than one."""
    wide = len(_WIDE.findall(text)) if full_width > 1 else 0
    return len(text) + wide * (full_width - 1)


def split(content: str, platform: Platform) -> tuple[str, ...]:
    """The posts of a thread, each ending with a sentence. None when the platform has no threads, or it does not fit."""
    if platform.thread is None:
        return ()
    room = platform.thread.max_length or platform.max_length
    posts: list[list[str]] = []
    used = 0
    for sentence in _sentences(content.strip()):
        own = weighted_length(sentence.rstrip(), platform.full_width)
        if own > room:
            return ()
        if posts and used + own <= room:
            posts[-1].append(sentence)
        else:
            posts.append([sentence])
            used = 0
        used += weighted_length(sentence, platform.full_width)
    return tuple("".join(post).strip() for post in posts) if len(posts) <= platform.thread.max_posts else ()


def _sentences(content: str) -> Iterator[str]:
    """The sentences of a text, each with the space behind it."""
    start = 0
    while start < len(content):
        end = _END.search(content, start + 1)
        stop = end.end() if end else len(content)
        yield content[start:stop]
        start = stop


def _without_links(content: str, flags: list[str]) -> str:
    """Lines that are an address with at most a label before it go; an address within a sentence stays, and is flagged.

    Nothing is lost: a draft names its sources beside the text.
    """
    lines = content.split("\n")
    left = [line for line in lines if not _is_link_line(line)]
    if len(left) < len(lines):
        flags.append(flag(Kind.LINK_REMOVED_FROM_BODY, "content"))
        content = re.sub(r"\n{3,}", "\n\n", "\n".join(left)).strip()
    if any(addresses(content)):
        flags.append(flag(Kind.LINK_IN_BODY, "content"))
    return content


def _is_link_line(line: str) -> bool:
    found = list(addresses(line))
    if len(found) != 1:
        return False
    before, _, after = line.partition(found[0])
    labelled = not before.strip() or re.fullmatch(rf"{_LABEL}[:：→▶👉(（]\s*", before) is not None
    return labelled and _WORDS_ALONE.match(after) is not None


def _tagged(content: str, listed: Sequence[str], platform: Platform, flags: list[str]) -> tuple[str, tuple[str, ...]]:
    fewest, most = platform.hashtags
    made = tags.together(content, listed, most)
    own = tags.together(content, (), most)
    room = platform.max_length if platform.thread is None else None
    if room is not None and weighted_length(made.content, platform.full_width) > room >= weighted_length(
        own.content, platform.full_width
    ):
        made = own if len(own.hashtags) >= fewest else tags.Tagged(own.content, made.hashtags, made.surplus)
    if made.content != content or not tags.same(made.hashtags, listed):
        flags.append(flag(Kind.HASHTAGS_REPAIRED, "hashtags"))
    if not tags.same(made.hashtags, dict.fromkeys(tags.tags_in(made.content))):
        flags.append(flag(Kind.HASHTAGS_DIFFER, "hashtags"))
    if made.surplus or len(made.hashtags) < fewest:
        flags.append(Kind.HASHTAG_COUNT.value)
    return made.content, made.hashtags
