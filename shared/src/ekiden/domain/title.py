"""What a session is called wherever it is listed, shown or reported, whatever workflow it is of."""

from collections.abc import Mapping, Sequence

THEME = "theme"


def title_of(given: Mapping[str, str | int | Sequence[str]], otherwise: str = "") -> str:
    """Its theme; in a workflow without one the first of its inputs that says something."""
    texts = map(as_text, (given.get(THEME, ""), *given.values()))
    return next((text for text in texts if text.strip()), otherwise)


def as_text(value: str | int | Sequence[str]) -> str:
    """An input as a person reads it; a switch by itself says nothing."""
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, (str, int)) else ", ".join(value)
