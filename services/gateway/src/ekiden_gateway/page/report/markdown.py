"""Markdown (CommonMark) of texts that models, people and providers wrote: whatever they hold, it stays text."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ekiden_gateway.page.rendering import web_address

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Controls, and what turns the direction of writing round. Joiners stay: emoji are made with them."""
_MARKUP = re.compile(r"[\\`*_\[\]<>&|~$]")
_AT_THE_START = re.compile(r"^(?:([-+=#])|(\d{1,9})([.)]))")
"""What would begin a list, a heading or a rule."""
_NO_LINK = re.compile(r"[<>\\\x00-\x20\x7f-\x9f]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ENTITY = re.compile(r"&(?=#?[0-9a-zA-Z]+;)")
_ESCAPED, _BREAK = r"\\\g<0>", "\\"


def plain(value: object) -> str:
    """A text without what cannot be seen; its lines stay."""
    return _UNSEEN.sub("", str(value).replace("\r\n", "\n").replace("\r", "\n"))


def inline(value: object) -> str:
    """A text on one line, in which nothing is markup."""
    text = _MARKUP.sub(_ESCAPED, " ".join(plain(value).split()))
    return _AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", text)


def fenced(value: object) -> Iterator[str]:
    """A text to be copied: character for character, in a fence that it cannot close."""
    text = plain(value).strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    yield from (fence, *text.split("\n"), fence, "")


def quoted(value: object, pad: str = "") -> Iterator[str]:
    """A text of several lines, as a quotation."""
    paragraphs = [part.split("\n") for part in re.split(r"\n[ \t]*\n\s*", plain(value).strip())]
    for place, lines in enumerate(paragraphs):
        if place:
            yield f"{pad}>"
        kept = [inline(line) for line in lines if line.strip()]
        yield from (f"{pad}> {line}" + _BREAK * (n < len(kept)) for n, line in enumerate(kept, 1))


def link(text: object, url: object) -> str:
    """A link, where it leads to the web; else the text alone, and the address as text beside it."""
    address = web_address(url)
    words = inline(text) or inline(url)
    if address is None or _NO_LINK.search(address):
        return f"{words} ({inline(url)})" if url and inline(url) != words else words
    if text == address and not _ENTITY.search(address):
        return f"<{address}>"
    return f"[{words}](<{_ENTITY.sub(_ESCAPED, address)}>)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: int) -> Iterator[str]:
    """A table of cells that are Markdown already; from column `right` on they are numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if n >= right else '---' for n in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
