"""Cron in a time zone: which moments an expression names. Nothing here reads a clock.

When the clocks change the rules are those of Debian's cron, by `cronsim`: a fixed time that is skipped comes right
behind the change, one that is repeated comes once, and `*` in the minute or the hour goes by the time that really
passes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ekiden.domain.told import told
from ekiden.errors import ScheduleInvalid

LONGEST_EXPRESSION = 200
_WRITTEN = re.compile(r"[0-9A-Za-z*,/#@ -]+")
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NONE = told("is no cron expression: it has five fields, minute, hour, day of the month, month, day of the week")
_RANGES = {
    "minute": told("0 to 59"),
    "hour": told("0 to 23"),
    "day-of-month": told("1 to 31 that its months have, or L for the last"),
    "month": told("1 to 12 or JAN to DEC"),
    "day-of-week": told("0 to 7 or SUN to SAT, where 0 and 7 are Sunday"),
}
_SOMETIME = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the search begins for whether an expression names any moment at all."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, and the time zone whose wall clocks it is about."""

    expression: str
    zone: str

    @classmethod
    def read(cls, expression: str, zone: str) -> Self:
        """Take what a person wrote. Raises ScheduleInvalid with the field and what to write instead."""
        if zone not in zones():
            raise ScheduleInvalid("timeZone", _no_zone(zone))
        if not _WRITTEN.fullmatch(expression) or len(expression) > LONGEST_EXPRESSION:
            raise ScheduleInvalid("cron", _NONE)
        made = cls(" ".join(expression.split()), zone)
        if made.expression.count(" ") != 4:  # the library would take six fields, with seconds
            raise ScheduleInvalid("cron", _wrong_count(made.expression))
        try:
            never = made.after(_SOMETIME) is None
        except CronSimError as error:
            raise ScheduleInvalid("cron", _wrong_field(made.expression.split(), str(error))) from error
        if never:
            raise ScheduleInvalid("cron", told("names no day of the next fifty years: see its days and its month"))
        return made

    def after(self, moment: datetime) -> datetime | None:
        """The first moment behind this one, in UTC. None when there is none in fifty years."""
        return next(self.since(moment), None)

    def since(self, moment: datetime) -> Iterator[datetime]:
        """All moments behind this one, in UTC and in their order, without end."""
        last = moment
        for local in CronSim(self.expression, moment.astimezone(ZoneInfo(self.zone))):
            found = local.astimezone(UTC)
            if found > last:  # a search that begins in a repeated hour finds its fixed times in the first of the two
                yield (last := found)

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone))

    def month_of(self, moment: datetime) -> datetime:
        """The beginning, in UTC, of the calendar month that it is there at a moment."""
        first = self.local(moment).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        return first.astimezone(UTC)

    def explained(self) -> str:
        """In English, e.g. `At 09:00 on Monday`."""
        return CronSim(self.expression, _SOMETIME).explain()


@cache
def zones() -> frozenset[str]:
    """The names of the IANA database, links from old names included; the same on every machine."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split()) - {"Factory"}


def _no_zone(zone: str) -> str:
    by_city = {name.rpartition("/")[2].casefold(): name for name in sorted(zones(), reverse=True)}
    by_name = {name.casefold(): name for name in zones()}
    known = by_name | by_city
    meant = get_close_matches(zone.strip().replace(" ", "_").casefold(), list(known), 1)
    example = told("write one as Asia/Tokyo, Europe/Berlin or UTC")
    hint = told("did you mean {zone}?", zone=known[meant[0]]) if meant else example
    return told("is no time zone of the IANA database; {hint}", hint=hint)


def _wrong_count(expression: str) -> str:
    if (written := _MACROS.get(expression.casefold())) is not None:
        return told("write '{written}' for {expression}", written=written, expression=expression)
    fields = expression.split()
    if len(fields) == 6:
        return told("has six fields and there are five, no seconds: '{fewer}'?", fewer=" ".join(fields[1:]))
    return told(
        "has {number} of five fields: minute, hour, day of the month, month, day of the week; e.g. '0 9 * * MON-FRI'",
        number=len(fields),
    )


def _wrong_field(fields: list[str], said: str) -> str:
    field = said.removeprefix("Bad ")
    if field not in _RANGES:
        return _NONE
    written = fields[list(_RANGES).index(field)]
    return told(
        "'{written}' is no {field}: {range}, with lists 1,5, ranges 1-5 and steps */5",
        written=written,
        field=told(field.replace("-", " ")),
        range=_RANGES[field],
    )
