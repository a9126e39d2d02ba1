"""Dates as a person reads them, on this machine's clock."""

from datetime import datetime


def minute(moment: datetime | None, *, never: str = "") -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else never


def second(moment: datetime | None, *, never: str = "") -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else never
