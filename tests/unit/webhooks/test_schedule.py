"""When a delivery is tried again: over days, with jitter, and with an end."""

import pytest

from ekiden.retry import Again, Stop
from ekiden.webhooks.schedule import ATTEMPTS, LONGEST_WISH_SECONDS, PAUSES, Answer, after

DOWN = Answer(error="ConnectError")
MIDDLE = 0.5


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_has_arrived(status: int) -> None:
    assert Answer(status).took


@pytest.mark.parametrize("status", [None, 101, 199, 300, 301, 307, 304, 400, 404, 410, 429, 500, 503])
def test_nothing_else_has(status: int | None) -> None:
    assert not Answer(status).took


@pytest.mark.parametrize("failed", range(1, ATTEMPTS))
def test_the_pauses_are_those_of_the_standard(failed: int) -> None:
    assert after(DOWN, failed, MIDDLE) == Again(PAUSES[failed - 1])


def test_the_last_attempt_is_the_last_after_about_three_days() -> None:
    assert after(DOWN, ATTEMPTS, MIDDLE) == Stop()
    assert 3 * 86_400 < sum(PAUSES) < 4 * 86_400


def test_what_failed_together_does_not_come_together() -> None:
    first, last = after(DOWN, 3, 0.0), after(DOWN, 3, 0.999)
    assert isinstance(first, Again)
    assert isinstance(last, Again)
    assert first.delay_seconds == pytest.approx(0.8 * PAUSES[2])
    assert last.delay_seconds == pytest.approx(1.2 * PAUSES[2], rel=0.01)


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_for_time_gets_it(status: int) -> None:
    assert after(Answer(status, retry_after=3600), 1, MIDDLE) == Again(3600)


def test_it_gets_a_day_at_the_most_and_the_pause_at_the_least() -> None:
    assert after(Answer(429, retry_after=1e9), 1, MIDDLE) == Again(LONGEST_WISH_SECONDS)
    assert after(Answer(429, retry_after=1), 2, MIDDLE) == Again(PAUSES[1])


def test_who_only_fails_has_no_wishes() -> None:
    assert after(Answer(500, retry_after=3600), 1, MIDDLE) == Again(PAUSES[0])


def test_who_is_gone_is_asked_no_second_time() -> None:
    assert after(Answer(410), 1, MIDDLE) == Stop()
