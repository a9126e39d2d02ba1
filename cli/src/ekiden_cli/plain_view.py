"""The view of a session where there is no terminal: one line per transition, nothing drawn over."""

from collections.abc import Callable
from datetime import datetime

from ekiden_cli.wording import seconds, sentence_of
from ekiden_cli.wrap import clean
from ekiden_client import Entry


class PlainView:
    """Says each transition once, with the seconds since the session was created."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began: datetime | None = None
        self._away = False

    def show_entry(self, entry: Entry) -> None:
        self._began = self._began or entry.at
        sentence = sentence_of(entry)
        if sentence:
            self._say(line_of(entry, self._began, sentence))

    def show_away(self, seconds: float | None) -> None:
        """Say once that the gateway is away, and once that it is back."""
        if (seconds is not None) != self._away:
            self._away = seconds is not None
            self._say("the gateway is away, trying again" if self._away else "the gateway is back")


def line_of(entry: Entry, began: datetime, sentence: str) -> str:
    place = f"{entry.phase}.{entry.step}" if entry.phase else ""
    return f"{seconds((entry.at - began).total_seconds()):>11}  {place:<11}  {entry.status:<11}  {clean(sentence)}"
