"""Providers as a person reads them."""

from collections.abc import Iterator
from datetime import datetime

from ekiden_cli.wrap import clean
from ekiden_client import ProviderState

_NAME_CELLS = 11


def provider_lines(found: ProviderState) -> Iterator[str]:
    """A provider in a list: how it is, and below it what an open breaker waits for."""
    cooling = f", cools down until {_clock(found.cool_down_until)}" if found.cool_down_until else ""
    refused = f", {found.refusals_in_a_row} refusals in a row" if found.refusals_in_a_row else ""
    ahead = f", {found.rate_slots_ahead} in line" if found.rate_slots_ahead else ""
    rate = f"{found.rate_per_minute:g} calls a minute" if found.rate_per_minute else "no rate limit of ours"
    breaker = f"breaker {clean(found.breaker.state)}{cooling}{refused}"
    yield f"{clean(found.provider):<{_NAME_CELLS}} {breaker}; {rate}{ahead}"
    if found.breaker.is_open:
        yield f"{'':<{_NAME_CELLS}} {why_open(found)}"


def why_open(found: ProviderState) -> str:
    """Why an open breaker is open, and what will close it."""
    breaker = found.breaker
    since = f" since {_clock(breaker.since)}" if breaker.since else ""
    if breaker.opened_by == "person":
        closes = f"until somebody says: ekiden providers close {clean(found.provider)}"
    elif breaker.next_probe_at:
        closes = f"next probe at {_clock(breaker.next_probe_at)}"
    else:
        closes = "a probe is under way"
    return f"open{since}: {clean(breaker.reason or '')} ({closes})"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"
