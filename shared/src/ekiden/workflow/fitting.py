"""A post held against its platform: what can be put right without harm is, the rest is flagged."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ekiden.workflow import hashtags as tags
from ekiden.workflow.addresses import addresses
from ekiden.workflow.definition import Platform
from ekiden.workflow.flags import Kind, flag

_NARROW = (range(0x1100), range(0x2000, 0x200E), range(0x2010, 0x2020), range(0x2032, 0x2038))
"""What X counts as one character: twitter-text's `ranges` of weight 100; all else counts 200."""
_SENTENCE = re.compile(r".+?(?:[。！？]+[」』）]*|[.!?…]+[\"'”’)]*(?=\s|\Z)|\n+|\Z)\s*", re.DOTALL)
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
    return sum(1 if any(ord(character) in narrow for narrow in _NARROW) else full_width for character in text)


def split(content: str, platform: Platform) -> tuple[str, ...]:
    """The posts of a thread, each ending with a sentence. None when the platform has no threads, or it does not fit."""
    if platform.thread is None:
        return ()
    room = platform.thread.max_length or platform.max_length
    posts = [""]
    for sentence in _sentences(content):
        longer = posts[-1] + sentence
        if weighted_length(longer.strip(), platform.full_width) <= room:
            posts[-1] = longer
        elif weighted_length(sentence.strip(), platform.full_width) <= room:
            posts.append(sentence)
        else:
            return ()
    kept = tuple(post.strip() for post in posts if post.strip())
    return kept if len(kept) <= platform.thread.max_posts else ()


def _sentences(content: str) -> Iterator[str]:
    return (found[0] for found in _SENTENCE.finditer(content) if found[0])


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
