"""JSON from a provider, read so that it can always be stored: what was paid for is not lost to an odd character.

A database takes neither half of a character (an answer cut off inside an emoji ends in one), nor an integer beyond 64
bits, nor a key with a NUL in it. All three are valid JSON.
"""

import json
import re
from typing import Any, cast

_SAFE_DIGITS = 18
"""Any integer of so many digits fits into 64 bits."""
_ODD = re.compile(r"\\u(?:d[89a-f]|0000)", re.IGNORECASE)


def decode(text: str) -> Any:
    """Read a JSON text. Raises ValueError when it is none, or nested more deeply than can be read."""
    try:
        value = json.loads(text, parse_int=_number)
        return _storable(value) if _ODD.search(text) else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _SAFE_DIGITS else float(digits)


def _storable(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            fields = cast("dict[str, object]", value)
            return {str(_storable(key)).replace("\0", "�"): _storable(field) for key, field in fields.items()}
        case list():
            return [_storable(item) for item in cast("list[object]", value)]
        case _:
            return value
