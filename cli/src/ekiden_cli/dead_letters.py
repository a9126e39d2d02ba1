"""Dead letters as a person reads them."""

import json
from collections.abc import Iterator

from ekiden_cli.wrap import clean, shorten
from ekiden_client import DeadLetter

_ERROR_CELLS = 80


def letter_line(letter: DeadLetter) -> str:
    """A letter in a list: one line."""
    when = f"{letter.died_at.astimezone():%Y-%m-%d %H:%M}" if letter.died_at else " " * 16
    state = "  (replayed)" if letter.replayed_at else ""
    error = shorten(clean(letter.error), _ERROR_CELLS)
    return f"{letter.id}  {when}  {clean(letter.queue)}  {clean(letter.reason)}{state}  {error}"


def letter_lines(letter: DeadLetter) -> Iterator[str]:
    """A letter in `name: value` lines."""
    yield f"Letter:    {letter.id}"
    yield f"Queue:     {clean(letter.queue)}"
    again = f", died {letter.deaths} times" if letter.deaths > 1 else ""
    yield f"Reason:    {clean(letter.reason)}{again}"
    if letter.died_at:
        yield f"Died:      {letter.died_at.astimezone():%Y-%m-%d %H:%M:%S}"
    if letter.replayed_at:
        yield f"Replayed:  {letter.replayed_at.astimezone():%Y-%m-%d %H:%M:%S}"
    if letter.session_id:
        yield f"Session:   {clean(letter.session_id)}"
    if letter.task_id:
        yield f"Task:      {clean(letter.task_id)}"
    yield f"Error:     {clean(letter.error)}"
    cut = ", of which the beginning was kept" if letter.truncated else ""
    yield f"Body:      {letter.size_bytes} bytes{cut}"
    text = letter.body if isinstance(letter.body, str) else json.dumps(letter.body, ensure_ascii=False, indent=2)
    yield clean(text)
    if letter.not_replayable:
        yield f"Replay:    not possible: {clean(letter.not_replayable)}"
