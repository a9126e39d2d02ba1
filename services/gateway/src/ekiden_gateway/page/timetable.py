"""When a schedule's times are, in the visitor's language: the library that reads cron explains it in English only."""

import re
from itertools import product

from ekiden_gateway.page.languages import Words

MOST_TIMES = 6
"""More moments of a day than these are told by their hours and their minutes."""
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_PART = re.compile(r"(?P<first>\*|L|\w+?)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?(?:#(?P<nth>\d)|(?P<final>L))?")


def timetable(expression: str, say: Words) -> str:
    """Total for what `Cron.read` takes."""
    minute, hour, day, month, weekday = expression.upper().split()
    days = [_told("day", day, say)] if day != "*" else []
    days += [_told("weekday", weekday, say)] if weekday != "*" else []
    if month != "*":
        season = say("cron.of", month=_told("month", month, say))
    else:
        season = say("cron.monthly") if day != "*" else ""
    return say(
        "cron.whole", days=season + (say("cron.or").join(days) or say("cron.daily")), times=_times(minute, hour, say)
    )


def _times(minute: str, hour: str, say: Words) -> str:
    minutes, hours = minute.split(","), hour.split(",")
    if all(text.isdecimal() for text in (*minutes, *hours)) and len(minutes) * len(hours) <= MOST_TIMES:
        moments = sorted((int(h), int(m)) for h, m in product(hours, minutes))
        return say("value.comma").join(f"{h}:{m:02}" for h, m in moments)
    told = _told("minute", minute, say)
    if hour == "*" and not minute[0].isdecimal():
        return told
    return say("cron.at", hours=_told("hour", hour, say), minutes=told)


def _told(name: str, field: str, say: Words) -> str:
    """A field of an expression: its parts, each one a value, a range or a step."""
    return say("value.comma").join(_part(name, text, say) for text in field.split(","))


def _part(name: str, text: str, say: Words) -> str:
    found = _PART.fullmatch(text)
    if found is None:
        return text
    first, last, step, nth = found["first"], found["last"], found["step"], found["nth"]
    if first == "*":
        return say(f"cron.{name}.step", n=step) if step else say(f"cron.{name}.all")
    if first == "L":
        return say("cron.last_day")
    if nth or found["final"]:
        day = _called(name, first, say)
        return say("cron.nth", n=nth, day=day) if nth else say("cron.final", day=day)
    called = _called(name, first, say)
    told = (
        say(f"cron.{name}.range", first=called, last=_called(name, last, say))
        if last
        else say(f"cron.{name}.one", n=called)
    )
    return say("cron.stepped", range=told, step=say(f"cron.{name}.step", n=step)) if step else told


def _called(name: str, text: str, say: Words) -> str:
    if name == "weekday":
        return say(f"weekday.{_DAYS.index(text) if text in _DAYS else int(text) % 7}")
    return str(_MONTHS.index(text) + 1) if name == "month" and text in _MONTHS else text
