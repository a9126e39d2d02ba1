"""Server-sent events on the wire (HTML standard, section 9.2.6), as far as a client in a terminal needs them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    id: str
    event: str
    data: str


async def server_events(lines: AsyncIterator[str]) -> AsyncIterator[ServerEvent]:
    """Read lines as events. An event that was cut off before its empty line is dropped, as the standard asks."""
    last_id, name, data = "", "", list[str]()
    async for line in lines:
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
