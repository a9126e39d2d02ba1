"""Four workers keep a provider's rate together, and use it: measured over more than a minute at 600 calls a minute."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.chaos.arena import Arena
from tests.chaos.report import Part

PART = "a rate kept together"
RATE = 600
MINUTE = 60.0
MEASURED_SECONDS = 75.0
SESSIONS = 130
"""Each makes ten calls, so that there is always one more in line until the measurement has ended."""
ENV = {
    "EKIDEN_GPT_RATE_PER_MINUTE": str(RATE),
    "EKIDEN_SIMULATOR_OPENAI_RATE_PER_MINUTE": str(RATE),
}


def refused_by_a_strict_minute(sent: Sequence[float], limit: int) -> int:
    """How many of these calls a server would refuse that lets so many through in any sixty seconds."""
    accepted: list[float] = []
    for moment in sent:
        if len(accepted) - bisect_left(accepted, moment - MINUTE) < limit:
            accepted.append(moment)
    return len(sent) - len(accepted)


def test_the_strict_minute_refuses_what_is_too_much() -> None:
    assert refused_by_a_strict_minute([n * 0.101 for n in range(1200)], RATE) == 0
    assert refused_by_a_strict_minute([n * 0.090 for n in range(1200)], RATE) > 60


@pytest.mark.long
async def test_four_workers_use_nine_tenths_of_the_rate_and_are_hardly_ever_refused(
    tmp_path: Path, part: Part, record_property: Callable[[str, object], None]
) -> None:
    made = Arena(tmp_path, {"gateway": 1, "orchestrator": 1, "gpt-worker": 4, "perplexity-worker": 1}, ENV, part=part)
    try:
        made.up()
        await asyncio.gather(*(made.start(f"rate {n}") for n in range(SESSIONS)))
        begun = (await made.until(lambda: calls(made), "the first call"))[-1]

        async def measured() -> bool:
            return (await calls(made))[-1] - begun >= MEASURED_SECONDS

        await made.until(measured, "calls for long enough", 3 * MEASURED_SECONDS)
        sent = [moment for moment in await calls(made) if begun < moment <= begun + MEASURED_SECONDS]
        refused = (await made.simulator.get("/stats")).json()["openai"]["refused"]
    finally:
        await made.down()

    used = len(sent) / (RATE * MEASURED_SECONDS / MINUTE)
    strict = refused_by_a_strict_minute(sent, RATE)
    record_property("calls", len(sent))
    record_property("rate_used", f"{used:.3f}")
    record_property("refused_by_the_provider", refused)
    record_property("refused_by_a_strict_minute", strict)
    part.notes.append(
        f"{len(sent)} calls in {MEASURED_SECONDS:.0f} s at {RATE} a minute: {used:.1%} of the rate used,"
        f" {refused} refused, {strict} that a strict minute would refuse"
    )
    assert used >= 0.9
    assert refused < 0.01 * len(sent)
    assert strict < 0.01 * len(sent)


async def calls(arena: Arena) -> list[float]:
    """When the provider accepted each GPT call, in order."""
    accepted = [call["acceptedAt"] for call in await arena.bill() if call["provider"] == "openai"]
    return sorted(datetime.fromisoformat(moment).timestamp() for moment in accepted)
