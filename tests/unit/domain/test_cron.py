"""Cron in a time zone: the moments that expressions name, over changes of the clocks and ends of months."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiden.domain.cron import Cron, zones
from ekiden.errors import ScheduleInvalid

BERLIN, NEW_YORK, TOKYO = "Europe/Berlin", "America/New_York", "Asia/Tokyo"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local_times(expression: str, zone: str, after: str, count: int = 3) -> list[str]:
    cron = Cron.read(expression, zone)
    return [cron.local(tick).isoformat(timespec="minutes") for tick in islice(cron.since(at(after)), count)]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-03-28T12:00Z",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00"],
            id="Berlin, a fixed time that is skipped in spring comes right behind the change",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00Z",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00"],
            id="Berlin, a fixed time that is repeated in autumn comes once",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-03-29T00:30Z",
            ["2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00", "2026-03-29T04:00+02:00"],
            id="Berlin, every half hour goes on over the hour that is skipped",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-10-25T00:00Z",
            ["2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"],
            id="Berlin, every half hour comes in both of the hours that are alike",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00Z",
            ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00", "2026-03-10T02:30-04:00"],
            id="New York in spring",
        ),
        pytest.param(
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31T12:00Z",
            ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00", "2026-11-03T01:30-05:00"],
            id="New York in autumn",
        ),
        pytest.param(
            "0 9 * * MON-FRI",
            TOKYO,
            "2026-11-26T00:00Z",
            ["2026-11-27T09:00+09:00", "2026-11-30T09:00+09:00", "2026-12-01T09:00+09:00"],
            id="Tokyo, on working days, no clock ever changes",
        ),
        pytest.param(
            "0 12 29 2 *",
            "UTC",
            "2026-01-01T00:00Z",
            ["2028-02-29T12:00+00:00", "2032-02-29T12:00+00:00", "2036-02-29T12:00+00:00"],
            id="February 29th",
        ),
        pytest.param(
            "0 0 31 * *",
            BERLIN,
            "2026-01-01T12:00Z",
            ["2026-01-31T00:00+01:00", "2026-03-31T00:00+02:00", "2026-05-31T00:00+02:00"],
            id="the 31st, only of the months that have one",
        ),
        pytest.param(
            "59 23 L * *",
            NEW_YORK,
            "2028-01-15T12:00Z",
            ["2028-01-31T23:59-05:00", "2028-02-29T23:59-05:00", "2028-03-31T23:59-04:00"],
            id="the last day of each month",
        ),
        pytest.param(
            "0 8 * JAN,jul Mon",
            "UTC",
            "2026-07-20T12:00Z",
            ["2026-07-27T08:00+00:00", "2027-01-04T08:00+00:00", "2027-01-11T08:00+00:00"],
            id="names of months and days, in any case",
        ),
        pytest.param(
            "0 8 * * 7",
            "UTC",
            "2026-11-23T00:00Z",
            ["2026-11-29T08:00+00:00", "2026-12-06T08:00+00:00", "2026-12-13T08:00+00:00"],
            id="7 is Sunday as 0 is",
        ),
    ],
)
def test_an_expression_names_these_moments(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert local_times(expression, zone, after) == expected


def test_from_within_the_second_of_two_hours_alike_the_next_moment_is_not_in_the_first() -> None:
    """The library looks at the clock's face, on which both hours are the same."""
    second_hour = at("2026-10-25T01:15:00+00:00")  # 02:15 for the second time
    assert Cron.read("30 2 * * *", BERLIN).after(second_hour) == at("2026-10-26T02:30:00+01:00")


@given(
    expression=st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "0 */5 1,15 * SUN"]),
    zone=st.sampled_from([BERLIN, NEW_YORK, TOKYO, "UTC", "Australia/Lord_Howe", "America/St_Johns"]),
    after=st.datetimes(datetime(2026, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - as it asks
)
def test_moments_always_go_on_and_are_found_again_from_each_of_them(
    expression: str, zone: str, after: datetime
) -> None:
    cron = Cron.read(expression, zone)
    found = list(islice(cron.since(after), 4))
    assert [after, *found] == sorted({after, *found})
    assert all(tick.second == tick.microsecond == 0 for tick in found)
    assert [cron.after(tick) for tick in found[:3]] == found[1:]


def test_a_month_begins_at_its_zone_s_midnight() -> None:
    assert Cron("0 0 * * *", TOKYO).month_of(at("2026-11-30T15:00Z")) == at("2026-12-01T00:00+09:00")
    assert Cron("0 0 * * *", NEW_YORK).month_of(at("2026-11-15T12:00Z")) == at("2026-11-01T00:00-04:00")


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("@daily", "write '0 0 * * *'"),
        ("0 0 9 * * *", "'0 9 * * *'"),
        ("0 9 * *", "4 of five fields"),
        ("", "five fields"),
        ("61 9 * * *", "'61' is no minute: 0 to 59"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 9 32 * *", "no day of month"),
        ("0 9 * 13 *", "JAN to DEC"),
        ("0 9 * * MONDAY", "SUN to SAT"),
        ("0 9 30 2 *", "no day of month"),
        ("0 9 * * MON; rm -rf", "is no cron expression"),
        ("* * */20 * 1L", "no day of the next fifty years"),
        ("毎日 9 * * *", "is no cron expression"),
        ("0 " * 200, "is no cron expression"),
    ],
)
def test_a_wrong_expression_says_what_to_write(expression: str, hint: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        Cron.read(expression, "UTC")
    assert caught.value.field == "cron"
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Tokyo", "did you mean Asia/Tokyo?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("../../etc/passwd", "write one as"),
        ("+09:00", "write one as"),
        ("", "write one as"),
    ],
)
def test_a_wrong_zone_says_which_may_be_meant(zone: str, hint: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        Cron.read("0 9 * * *", zone)
    assert caught.value.field == "timeZone"
    assert hint in caught.value.message


@given(st.text(st.characters(codec="ascii"), max_size=40) | st.from_regex(r"[0-9*,/#L@-]{1,8}( [0-9*,/#L-]{1,8}){4}"))
def test_whatever_is_written_is_taken_or_refused_in_words(expression: str) -> None:
    with suppress(ScheduleInvalid):
        cron = Cron.read(expression, BERLIN)
        assert cron.after(datetime(2026, 11, 23, tzinfo=UTC)) is not None
        assert cron.explained()


def test_every_zone_that_is_named_is_there() -> None:
    assert {BERLIN, NEW_YORK, TOKYO, "UTC"} <= zones()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert all(
        abs(Cron("0 0 * * *", zone).local(moment).utcoffset() or timedelta()) < timedelta(days=1) for zone in zones()
    )
