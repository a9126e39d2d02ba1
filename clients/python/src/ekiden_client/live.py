"""A session's transitions, live: over any number of reconnects each is given once, and in order."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from pydantic import ValidationError

from ekiden_client.clock import Clock
from ekiden_client.connection import Connection
from ekiden_client.errors import NotAGateway, Problem, Unavailable, Unreachable
from ekiden_client.models.history import Entry
from ekiden_client.patience import LONGEST_PAUSE_SECONDS
from ekiden_client.server_events import END, ServerEvent

PAUSE_SECONDS = 0.5
"""Before a stream that ended is taken up again."""

Away = Callable[[float | None], None]
"""Is told for how many seconds the gateway has been away, and None whenever it answers again."""


async def follow(
    connection: Connection, path: str, *, after: int | None = None, away: Away = lambda _seconds: None
) -> AsyncGenerator[Entry]:
    """Give every transition behind version `after`, from the first when it is None, until nothing more will follow.

    That is when the session is COMPLETED or CANCELLED. The id of an event is the session's version, so the place to go
    on from is known exactly. Raises Unreachable or Unavailable when the gateway has been away for longer than the
    connection's patience, any other problem at once.
    """
    seen, absence = after, _Absence(connection.clock)

    def opened() -> None:
        absence.end()
        away(None)

    while True:
        problem: Problem | Unreachable | None = None
        place = str(seen) if seen is not None else None
        try:
            async with aclosing(connection.stream(path, last_event_id=place, opened=opened)) as events:
                async for event in events:
                    if event.event == END.event:
                        return
                    entry = _entry(event)
                    if entry is not None and (seen is None or entry.version > seen):
                        seen = entry.version
                        yield entry
        except NotAGateway:
            raise
        except (Unavailable, Unreachable) as error:
            problem = error
        gone_seconds = absence.seconds()
        if problem is not None:
            if gone_seconds > _patience(connection, problem):
                raise problem
            away(gone_seconds)
        await connection.clock.sleep(_pause(problem))


class _Absence:
    """For how long the gateway has not answered; it counts from the first time it is asked after an end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = clock.now()

    def end(self) -> None:
        self._since = None

    def seconds(self) -> float:
        now = self._clock.now()
        self._since = now if self._since is None else self._since
        return now - self._since


def _patience(connection: Connection, problem: Problem | Unreachable) -> float:
    nobody_there = isinstance(problem, Unreachable) and not problem.sent
    return connection.patience.absent_seconds if nobody_there else connection.patience.seconds


def _pause(problem: Problem | Unreachable | None) -> float:
    told = problem.retry_after_seconds if isinstance(problem, Problem) else None
    return min(max(told or 0.0, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _entry(event: ServerEvent) -> Entry | None:
    """The transition in a server event; None for an event of another kind."""
    try:
        return Entry.model_validate_json(event.data)
    except ValidationError:
        return None
