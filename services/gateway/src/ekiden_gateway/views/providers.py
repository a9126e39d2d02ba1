"""A provider's shared state as people see it."""

from datetime import datetime

from ekiden.domain.plan import Provider
from ekiden.store.providers import BreakerState, ProviderState, seconds_until
from ekiden_gateway.models import providers as model


def provider(name: Provider, state: ProviderState, now: datetime) -> model.ProviderAnswer:
    waiting = state.breaker_state is BreakerState.OPEN
    return model.ProviderAnswer(
        provider=name,
        breaker=model.BreakerAnswer(
            state=state.breaker_state,
            reason=state.breaker,
            since=state.breaker_since,
            next_probe_at=state.probe_at if waiting else None,
            opened_by=state.opened_by,
        ),
        refusals_in_a_row=state.refusals,
        cool_down_until=state.cool_down_until if state.cool_down_seconds(now) else None,
        rate_per_minute=state.rate_per_minute,
        rate_slots_ahead=_slots_ahead(state, now),
    )


def _slots_ahead(state: ProviderState, now: datetime) -> int:
    """A line that begins only behind a cool-down is as long as what stands behind that.

    Rounded, because our copy of the database's clock is a few milliseconds off.
    """
    if state.rate_per_minute is None:
        return 0
    line = seconds_until(state.slot_at, now) - state.cool_down_seconds(now)
    return max(0, round(line * state.rate_per_minute / 60))
