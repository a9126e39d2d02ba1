"""Every panel has something to show: each expression, asked of a real Prometheus after a night of trouble."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.dashboards import OURS, Expression, Window, annotations, expressions, values
from tests.integration.dashboard_load import Watched, bad_night, watched
from tests.site import PATIENCE_SECONDS

RATE_SECONDS = 30
"""Over how long rates are taken: Prometheus looks every second, but a busy machine may let it wait."""

QUIET = {
    "Alerts firing": "the night is shorter than any alert waits",
    "Stalled": "nothing stands still for two minutes",
    "Broker alarms": "there is memory, and room on the disk",
    "Not reached: broker": "it is not taken away",
    "Not reached: database": "it is not taken away",
    "Not reached": "neither is taken away",
    "Failed commands": "the database refuses nothing",
    "Sessions pruned": "retention is off",
    "Requests refused, by reason": "no quota is set",
    "Decisions made again": "the sessions may happen to move one after another",
}
"""Panels whose figures stay 0 as long as all is well, and why it is in the load, too."""
QUIET_EXPRESSIONS = {
    "sum(rate(rabbitmq_global_messages_dead_lettered_delivery_limit_total[$__rate_interval]))": "nothing dies 20 times",
    "sum(rate(rabbitmq_global_messages_unroutable_returned_total[$__rate_interval]))": "all queues are there",
    'sum(rate(ekiden_publish_duration_seconds_count{outcome="failed"}[$__rate_interval]))': "the broker is there",
    "sum by (provider) (increase(ekiden_calls_above_cap_total[$__rate_interval]))": "the simulator keeps to its prices",
}
EXPRESSIONS = list(expressions())


@dataclass(frozen=True)
class Night:
    site: Watched
    window: Window
    seen: dict[Expression, list[list[float]]]


def moves(expression: Expression) -> bool:
    """Whether the load makes it more than 0."""
    return expression.panel not in QUIET and expression.text not in QUIET_EXPRESSIONS


def shows(expression: Expression, found: list[list[float]]) -> bool:
    return any(value > 0 for series in found for value in series) if moves(expression) else bool(found)


@pytest.fixture(scope="module")
async def night(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Night]:
    """The load, and what each expression showed of it: asked until all of them show what they should, or too long."""
    async with watched(tmp_path_factory.mktemp("night")) as made:
        start = time.time()
        await bad_night(made)
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen: dict[Expression, list[list[float]]] = {}
        while len(seen) < len(EXPRESSIONS) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            window = Window(start, time.time(), RATE_SECONDS)
            for expression in EXPRESSIONS:
                found = [] if expression in seen else await values(made.prometheus, expression.text, window)
                if shows(expression, found):
                    seen[expression] = found
        yield Night(made, Window(start, time.time(), RATE_SECONDS), seen)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
async def test_a_panel_shows_what_happened(night: Night, expression: Expression) -> None:
    found = night.seen.get(expression) or await values(night.site.prometheus, expression.text, night.window)

    assert found, "no series, or none with a value"
    assert shows(expression, found), "nothing but 0"


@pytest.mark.parametrize("expression", list(annotations()), ids=str)
async def test_what_marks_the_panels_can_be_asked(night: Night, expression: Expression) -> None:
    found = await values(night.site.prometheus, expression.text, night.window)

    assert found or "ALERTS" in expression.text


async def test_every_metric_of_ours_that_is_exported_is_in_the_table(night: Night) -> None:
    answer = await night.site.prometheus.get("/api/v1/label/__name__/values")
    exported = {name for name in answer.json()["data"] if name.startswith("ekiden_")}

    assert exported <= OURS.keys()


def test_nothing_is_excused_from_moving_that_is_not_there() -> None:
    assert set(QUIET) <= {expression.panel for expression in EXPRESSIONS}
    assert set(QUIET_EXPRESSIONS) <= {expression.text for expression in EXPRESSIONS}
