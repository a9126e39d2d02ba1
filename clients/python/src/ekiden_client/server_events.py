"""Server-sent events on the wire (HTML standard, section 9.2.6), as far as a client of the gateway needs them."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r(?!$)")
"""Only these: a text may hold other characters that Python takes for line ends, such as U+2028."""


@dataclass(frozen=True)
class ServerEvent:
    id: str
    event: str
    data: str


END = ServerEvent("", "end", "{}")
"""The last event of a stream whose session is over. A stream that merely breaks off has none."""


async def server_events(chunks: AsyncIterator[str]) -> AsyncGenerator[ServerEvent]:
    """Read text as events. An event that was cut off before its empty line is dropped, as the standard asks."""
    last_id, name, data = "", "", list[str]()
    async for line in _lines(chunks):
        if not line:
            if data:
                yield ServerEvent(last_id, name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")  # a comment has no field
        value = value.removeprefix(" ")
        if field == "id":
            last_id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


async def _lines(chunks: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Whole lines. A carriage return at the end of a chunk may be half of a line's end, and is kept for the next."""
    rest = ""
    async for chunk in chunks:
        *lines, rest = _LINE_END.split(rest + chunk)
        for line in lines:
            yield line
    if rest.endswith("\r"):
        yield rest[:-1]
