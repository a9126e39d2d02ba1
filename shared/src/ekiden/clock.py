"""Time is a port: whoever needs the time is given a clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time in UTC, to the millisecond, as the database has it."""
        ...


def to_millisecond(moment: datetime) -> datetime:
    """Cut to what the database can keep."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class DatabaseClock:
    """The database's time, carried on by this process's monotonic clock between two synchronisations.

    No clock of one machine is compared with that of another: a service whose own clock is five minutes off
    stamps the same times as its neighbours.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base: tuple[datetime, float] | None = None

    def set(self, database_time: datetime, asked: float, answered: float) -> None:
        """Take over a time the database answered between two readings of our monotonic clock."""
        self._base = (database_time, (asked + answered) / 2)

    def monotonic(self) -> float:
        return self._monotonic()

    def now(self) -> datetime:
        if self._base is None:
            return to_millisecond(datetime.now(UTC))
        moment, reading = self._base
        return to_millisecond(moment + timedelta(seconds=self._monotonic() - reading))
