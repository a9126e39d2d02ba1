"""How long a provider asks us to wait."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ekiden.errors import RateLimited
from ekiden.worker.refusal import epoch_of, go_duration, retry_after
from ekiden_perplexity_worker.perplexity_agent import refusal
from tests.unit.worker.wire import error, reply

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
NOON_EPOCH = 1795348800


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120ms", 0.12), ("1.2s", 1.2), ("6m0s", 360), ("1h23m31s", 5011), ("10ms", 0.01), ("1.146s", 1.146), ("", 0)],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT", "date": NOON}, 90),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 -0000", "date": NOON}, 90),
        ({"retry-after": "Sun, 22 Nov 2026 11:59:00 GMT", "date": NOON}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}, None),
        ({"retry-after": "tomorrow", "date": NOON}, None),
        ({"retry-after": "-1", "date": NOON}, None),
        ({"retry-after": "1-Jan-2 12:61 99999999999999999999", "date": NOON}, None),
        ({}, None),
    ],
)
def test_the_headers_say_how_long(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(error(429, headers=headers)) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.146s. Visit https://platform.openai.com.", 1.146),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 6m0s.", 360),
        ("Please Try Again In 2s", 2),
        ("Please try again later.", None),
    ],
)
def test_without_a_header_the_message_says_how_long(message: str, seconds: float | None) -> None:
    assert retry_after(error(429, message=message)) == seconds


def agent_delay(**headers: str) -> float | None:
    refused = refusal(error(429, type="request_rate_limit_exceeded", headers=headers))
    assert isinstance(refused, RateLimited)
    return refused.delay_seconds


def test_an_epoch_is_compared_with_the_answer_s_own_date() -> None:
    assert agent_delay(**{"x-ratelimit-reset": str(NOON_EPOCH + 12), "date": NOON}) == 12


@pytest.mark.parametrize("reset", [str(NOON_EPOCH), str(NOON_EPOCH - 5), "soon"])
def test_an_epoch_that_is_of_no_use_gives_no_delay(reset: str) -> None:
    assert agent_delay(**{"x-ratelimit-reset": reset, "date": NOON}) is None


def test_an_epoch_without_a_date_gives_no_delay() -> None:
    assert agent_delay(**{"x-ratelimit-reset": str(NOON_EPOCH)}) is None


def test_a_retry_after_goes_before_an_epoch() -> None:
    assert agent_delay(**{"x-ratelimit-reset": str(NOON_EPOCH + 12), "date": NOON, "retry-after": "3"}) == 3


def test_a_date_without_a_zone_is_utc() -> None:
    assert epoch_of("Sun, 22 Nov 2026 12:00:00 -0000") == NOON_EPOCH


@example(header="0\x1f", date=NOON)
@given(header=st.text(max_size=40), date=st.text(max_size=40) | st.just(NOON))
def test_no_header_is_so_odd_that_it_crashes_us(header: str, date: str) -> None:
    headers = {"retry-after": header, "date": date, "retry-after-ms": header, "x-ratelimit-reset": header}
    refused = reply(429, text="")
    object.__setattr__(refused, "headers", headers)
    limited = refusal(refused)
    assert isinstance(limited, RateLimited)
    assert limited.delay_seconds is None or limited.delay_seconds >= 0
