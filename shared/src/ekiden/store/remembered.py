"""Sessions as this process has just saved them, so that the next event need not load them (ADR 12).

A copy says what was so, not what is: somebody else may have moved the session since, or restored an older database. It
may lead to a move, which is written only if the copy is still true; before it says anything else it is compared.
"""

from collections import OrderedDict
from dataclasses import dataclass

import bson

from ekiden.domain.ids import SessionId
from ekiden.domain.session import ACTIVE, Session

MOST_SESSIONS = 2_000
MOST_BYTES = 32 * 1024 * 1024
"""Of the answers, as the database holds them. In memory they are about as much, and twice that when they are short."""


@dataclass(frozen=True, slots=True)
class _Kept:
    session: Session
    size: int


class Remembered:
    """At most so many sessions, and so many bytes of their answers; the one that moved longest ago makes room."""

    def __init__(self, most: int = MOST_SESSIONS, most_bytes: int = MOST_BYTES) -> None:
        """With `most` 0 nothing is remembered: for those who must answer with what is stored."""
        self._most = most
        self._most_bytes = most_bytes
        self._kept = OrderedDict[SessionId, _Kept]()
        self._bytes = 0

    def get(self, session_id: SessionId) -> Session | None:
        kept = self._kept.get(session_id)
        return kept.session if kept is not None else None

    def keep(self, session: Session) -> None:
        """Remember a session that was just saved here, if tasks are under way for it. One that was loaded has no place.

        Only what is saved has a `move_id` that nothing else was ever written with: a service of before move ids moves
        a session on and leaves the old one.
        """
        if session.status not in ACTIVE or not self._most:
            self.forget(session.id)
            return
        size = _size(session, self._kept.get(session.id))
        self.forget(session.id)
        self._kept[session.id] = _Kept(session, size)
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self.forget(next(iter(self._kept)))

    def forget(self, session_id: SessionId) -> None:
        if (kept := self._kept.pop(session_id, None)) is not None:
            self._bytes -= kept.size


def _size(session: Session, before: _Kept | None) -> int:
    """Bytes of its input and answers. Only what is new since the copy `before` is measured, because answers are long.

    What was asked for again is counted again.
    """
    if before is None:
        return len(bson.encode({"input": session.input, "edited": session.edited, "results": session.results}))
    known = before.session.steps
    news = {key: step.result for key, step in session.steps.items() if step is not known.get(key)}
    return before.size + len(bson.encode(news))
