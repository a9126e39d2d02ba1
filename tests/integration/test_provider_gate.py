"""The gate on a real database: what all workers of a provider see of its breaker, its cool-down and its rate."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from ekiden.domain.plan import Provider
from ekiden.errors import (
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from ekiden.retry import REFUSED_ATTEMPTS, REFUSED_SECONDS, Again, Stop, Tally, UnknownOutcome, again
from ekiden.store import gate as gate_module
from ekiden.store.database import Database
from ekiden.store.gate import LONGEST_HOLD_SECONDS, PARK_SECONDS, MongoGate
from ekiden.store.provider_writes import FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS, OUTAGE_REFUSALS
from ekiden.store.providers import Breakers, BreakerState, ProviderState, ProviderStates
from ekiden.worker.ending import outcome_of

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
_A_TICK = timedelta(milliseconds=2)
"""Times are stored in whole milliseconds."""
_TIMES = ("coolDownUntil", "breakerSince", "probeAt", "slotAt")


class Lab:
    """The providers' documents of a database, and time that passes by moving what they say into the past."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.rows = database.journaled("providers")
        self.states = ProviderStates(database)
        self.breakers = Breakers(database)

    async def gate(self, rate_per_minute: float | None = None, provider: Provider = GPT) -> MongoGate:
        made = MongoGate(self.database, provider, rate_per_minute)
        await made.start()
        return made

    async def state(self, provider: Provider = GPT) -> ProviderState:
        return (await self.states.all())[provider]

    async def later(self, seconds: float, *gates: MongoGate) -> None:
        moved = {
            name: {"$cond": [f"${name}", {"$subtract": [f"${name}", round(seconds * 1000)]}, None]} for name in _TIMES
        }
        await self.rows.update_many({}, [{"$set": moved}])
        for gate in gates:
            await gate.refresh()

    async def outage(self, gate: MongoGate, times: int = OUTAGE_REFUSALS) -> list[bool]:
        return [await gate.refused(ProviderUnavailable("503 overloaded")) for _ in range(times)]

    def now(self) -> datetime:
        return self.database.clock.now()


@pytest.fixture
async def lab(database: Database) -> Lab:
    made = Lab(database)
    await made.rows.delete_many({})
    return made


async def passes(gate: MongoGate) -> bool:
    """Whether a call may go now: a gate that is shut holds the message, or parks its task."""
    entering = asyncio.ensure_future(gate.enter())
    done, _ = await asyncio.wait({entering}, timeout=0.3)
    if done:
        return entering.result() == 0.0
    entering.cancel()
    with suppress(asyncio.CancelledError):
        await entering
    return False


# ── outages ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_enough_refusals_in_a_row_over_all_workers_open_the_breaker(lab: Lab) -> None:
    gates = [await lab.gate() for _ in range(3)]
    for number in range(OUTAGE_REFUSALS - 1):
        assert not await gates[number % 3].refused(ProviderUnavailable("503 overloaded"))
    assert await gates[0].refused(ProviderUnavailable("503 overloaded"))

    state = await lab.state()
    assert state.breaker == "ProviderUnavailable: 503 overloaded"
    assert (state.breaker_state, state.opened_by) == (BreakerState.OPEN, "worker")
    assert list((await lab.states.held()).keys()) == [GPT]
    assert "503 overloaded" in (await lab.states.held())[GPT]


async def test_refusals_at_the_same_moment_are_all_counted(lab: Lab) -> None:
    gates = [await lab.gate() for _ in range(OUTAGE_REFUSALS)]
    held = await asyncio.gather(*(gate.refused(ProviderUnavailable("503")) for gate in gates))
    assert sum(held) == 1
    assert (await lab.state()).breaker is not None


async def test_an_answer_between_begins_the_count_anew(lab: Lab) -> None:
    one, other = await lab.gate(), await lab.gate()
    await lab.outage(one, OUTAGE_REFUSALS - 1)
    await other.refresh()
    await other.answered(0.1)
    assert await lab.outage(one, OUTAGE_REFUSALS - 1) == [False] * (OUTAGE_REFUSALS - 1)
    assert (await lab.state()).breaker is None


async def test_a_provider_that_leaves_all_in_doubt_opens_the_breaker_and_each_doubt_stays_one(lab: Lab) -> None:
    gate, doubt = await lab.gate(), OutcomeUnknown("status 502 without the provider's own error")
    assert [await gate.refused(doubt) for _ in range(OUTAGE_REFUSALS + 1)] == [False] * (OUTAGE_REFUSALS + 1)
    state = await lab.state()
    assert state.breaker == "OutcomeUnknown: status 502 without the provider's own error"
    assert state.cool_down_until is None
    assert outcome_of(doubt) == "unknown"


async def test_a_rate_limit_is_no_outage(lab: Lab) -> None:
    gate = await lab.gate()
    for _ in range(OUTAGE_REFUSALS * 2):
        assert not await gate.refused(RateLimited("429", delay_seconds=0.01))
    assert (await lab.state()).breaker is None


@pytest.mark.parametrize("error", [QuotaExhausted("no money"), RateLimited("tomorrow", delay_seconds=86_400)])
async def test_a_refusal_that_will_not_pass_soon_opens_the_breaker_at_once(lab: Lab, error: ProviderError) -> None:
    gate = await lab.gate()
    assert await gate.refused(error)
    assert not await passes(gate)
    assert (await lab.state()).cool_down_until is None


async def test_an_open_breaker_keeps_its_first_reason(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    since = (await lab.state()).breaker_since
    assert await gate.refused(QuotaExhausted("no money"))
    state = await lab.state()
    assert (state.breaker, state.breaker_since) == ("ProviderUnavailable: 503 overloaded", since)


async def test_one_provider_s_outage_does_not_hold_back_the_other(lab: Lab) -> None:
    gate, other = await lab.gate(), await lab.gate(provider=SEARCH)
    await lab.outage(gate)
    assert not await passes(gate)
    assert await passes(other)


async def test_a_task_that_is_refused_for_hours_while_the_breaker_is_open_uses_up_no_attempt(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    for error in (ProviderUnavailable("503"), RateLimited("429", delay_seconds=0.01), QuotaExhausted()):
        error.held_back = await gate.refused(error)
        worn = Tally(refused=REFUSED_ATTEMPTS, age_seconds=REFUSED_SECONDS)
        assert again(error, worn, GPT, UnknownOutcome.ASK, 0.5) == Again(0.0)


async def test_without_the_breaker_the_same_refusal_ends_the_task(lab: Lab) -> None:
    gate, error = await lab.gate(), ProviderUnavailable("503")
    error.held_back = await gate.refused(error)
    assert again(error, Tally(refused=REFUSED_ATTEMPTS), GPT, UnknownOutcome.ASK, 0.5) == Stop()


# ── probes ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_worker_at_a_time_probes(lab: Lab) -> None:
    gates = [await lab.gate() for _ in range(4)]
    await lab.outage(gates[0])
    await lab.later(FIRST_PROBE_SECONDS, *gates)

    assert sum(await asyncio.gather(*(passes(gate) for gate in gates))) == 1
    assert (await lab.state()).breaker_state is BreakerState.PROBING
    for gate in gates:
        await gate.refresh()
    assert not any(await asyncio.gather(*(passes(gate) for gate in gates)))


async def test_the_pauses_between_probes_grow_up_to_two_minutes(lab: Lab) -> None:
    gate, pauses = await lab.gate(), list[float]()
    await lab.outage(gate)
    for _ in range(6):
        state = await lab.state()
        assert state.probe_at is not None
        pause = (state.probe_at - lab.now()).total_seconds()
        pauses.append(round(pause / FIRST_PROBE_SECONDS) * FIRST_PROBE_SECONDS)
        await lab.later(pause + 0.1, gate)
        assert await gate.enter() == 0.0
        assert await gate.refused(ProviderUnavailable("503"))
    assert pauses == [15, 30, 60, 120, 120, 120]
    assert pauses[-1] == LONGEST_PROBE_SECONDS


async def test_the_probe_s_answer_closes_the_breaker_for_all(lab: Lab) -> None:
    one, other = await lab.gate(), await lab.gate()
    await lab.outage(one)
    await lab.later(FIRST_PROBE_SECONDS, one, other)
    assert await one.enter() == 0.0
    await one.answered(0.0)
    assert (await lab.state()).breaker_state is BreakerState.CLOSED
    await other.refresh()
    assert await passes(other)
    assert await lab.outage(one, OUTAGE_REFUSALS - 1) == [False] * (OUTAGE_REFUSALS - 1), "and the count is new"


async def test_an_answer_to_a_call_that_was_sent_before_the_outage_closes_nothing(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    await lab.later(FIRST_PROBE_SECONDS, gate)
    await gate.answered(60.0)
    assert (await lab.state()).breaker is not None


@pytest.mark.parametrize("error", [OutcomeUnknown("502"), RequestRejected("400")])
async def test_a_probe_without_an_answer_is_followed_by_a_longer_pause(lab: Lab, error: ProviderError) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    await lab.later(FIRST_PROBE_SECONDS, gate)
    assert await gate.enter() == 0.0
    await gate.refused(error)
    state = await lab.state()
    assert state.breaker_state is BreakerState.OPEN
    assert state.probe_at is not None
    assert FIRST_PROBE_SECONDS < (state.probe_at - lab.now()).total_seconds() <= 2 * FIRST_PROBE_SECONDS


@pytest.mark.parametrize("sent", [False, None])
async def test_a_probe_that_was_not_sent_is_left_to_another_worker(lab: Lab, sent: bool | None) -> None:
    one, other = await lab.gate(), await lab.gate()
    await lab.outage(one)
    await lab.later(FIRST_PROBE_SECONDS, one)
    assert await one.enter() == 0.0
    if sent is None:
        await one.unused()
    else:
        await one.refused(NotSent())
    await other.refresh()
    assert await passes(other)


async def test_a_probe_of_a_dead_worker_is_taken_over_and_that_of_a_living_one_is_not(lab: Lab) -> None:
    one, other = await lab.gate(), await lab.gate()
    await lab.outage(one)
    await lab.later(FIRST_PROBE_SECONDS, one)
    assert await one.enter() == 0.0
    for _ in range(3):  # a slow call: its worker goes on refreshing, and so keeps the right to probe
        await lab.later(5)
        await one.refresh()
    await other.refresh()
    assert not await passes(other)
    await lab.later(9, other)
    assert await passes(other)


@pytest.mark.parametrize("end", ["answered", "refused", "unused"])
async def test_a_probe_whose_end_could_not_be_saved_is_taken_over(
    lab: Lab, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await lab.gate(), await lab.gate()
    await lab.outage(one)
    await lab.later(FIRST_PROBE_SECONDS, one)
    assert await one.enter() == 0.0

    async def lost(*_: object, **__: object) -> None:
        raise AutoReconnect("connection reset by peer")

    with monkeypatch.context() as weather:
        weather.setattr(one._providers, "find_one_and_update", lost)
        match end:
            case "answered":
                await one.answered(0.0)
            case "refused":
                await one.refused(ProviderUnavailable("503"))
            case _:
                await one.unused()
    await lab.later(9)
    await one.refresh()  # its process lives on: it must not go on keeping the right to probe
    await other.refresh()
    assert await passes(other)
    await other.answered(0.0)
    assert (await lab.state()).breaker is None


async def test_a_gate_looks_again_after_a_bug_in_a_look(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, looks, again = await lab.gate(), 0, asyncio.Event()

    async def broken_once() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise ValueError("a bug")
        again.set()

    monkeypatch.setattr(gate, "refresh", broken_once)
    refreshing = asyncio.create_task(gate.refresh_forever())
    try:
        await asyncio.wait_for(again.wait(), 30)
    finally:
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)


# ── holding and parking ──────────────────────────────────────────────────────────────────────────────────────


async def test_within_the_first_minute_a_message_is_held_and_goes_when_the_breaker_closes(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    waiting = [asyncio.ensure_future(gate.enter()) for _ in range(5)]
    await asyncio.sleep(0)
    assert not any(message.done() for message in waiting)
    await lab.breakers.close(GPT)
    await gate.refresh()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [0.0] * 5


async def test_at_a_breaker_that_has_been_open_for_a_minute_every_message_is_parked_at_once(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    await lab.later(LONGEST_HOLD_SECONDS + 1)
    await lab.rows.update_one({"_id": GPT}, [{"$set": {"probeAt": {"$add": ["$$NOW", 60_000]}}}])
    await gate.refresh()
    parked = await asyncio.wait_for(asyncio.gather(*(gate.enter() for _ in range(10_000))), 30)
    assert set(parked) == {PARK_SECONDS}


async def test_a_cool_down_of_more_than_a_minute_parks_for_as_long(lab: Lab) -> None:
    gate = await lab.gate()
    await gate.refused(RateLimited("429", delay_seconds=300))
    assert await gate.enter() == pytest.approx(300, abs=10)


async def closed_to_calls(lab: Lab) -> set[Provider]:
    now = lab.database.clock.now()
    return {provider for provider, state in (await lab.states.all()).items() if state.is_closed_to_calls(now)}


async def test_nobody_need_be_told_of_tasks_that_could_only_be_parked(lab: Lab) -> None:
    gate = await lab.gate()
    assert await closed_to_calls(lab) == set()
    await gate.refused(RateLimited("429", delay_seconds=2))
    assert await closed_to_calls(lab) == set(), "a short cool-down is waited for with the message in hand"
    await gate.refused(RateLimited("429", delay_seconds=60))
    assert await closed_to_calls(lab) == {GPT}
    await lab.later(61, gate)
    assert await closed_to_calls(lab) == set()

    await lab.outage(gate)
    assert await closed_to_calls(lab) == {GPT}
    await lab.later(FIRST_PROBE_SECONDS, gate)
    assert await closed_to_calls(lab) == set(), "a probe needs a task"
    assert await gate.enter() == 0.0
    assert await closed_to_calls(lab) == {GPT}
    await gate.answered(0.0)
    assert await closed_to_calls(lab) == set()


# ── a person ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_breaker_that_a_person_opened_is_closed_by_a_person_only(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.breakers.open(GPT, "the invoice is under discussion")
    await lab.later(1000, gate)
    assert await gate.enter() == PARK_SECONDS, "nobody probes"
    await gate.answered(0.0)
    assert await gate.refused(ProviderUnavailable("503"))
    assert await gate.refused(QuotaExhausted())
    state = await lab.state()
    assert (state.breaker, state.opened_by, state.probe_at) == ("the invoice is under discussion", "person", None)
    assert await closed_to_calls(lab) == {GPT}

    await lab.breakers.close(GPT)
    await gate.refresh()
    assert await passes(gate)


async def test_a_person_takes_over_a_breaker_and_its_probes(lab: Lab) -> None:
    gate = await lab.gate()
    await lab.outage(gate)
    await lab.later(FIRST_PROBE_SECONDS, gate)
    assert await gate.enter() == 0.0
    since = (await lab.state()).breaker_since
    await lab.breakers.open(GPT, "$wait")
    await gate.answered(0.0)
    state = await lab.state()
    assert (state.breaker, state.breaker_since, state.breaker_state) == ("$wait", since, BreakerState.OPEN)


# ── cool-down and rate ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_cool_down_reaches_every_worker_within_a_second(lab: Lab) -> None:
    one, other = await lab.gate(), await lab.gate()
    refreshing = asyncio.create_task(other.refresh_forever())
    try:
        await asyncio.sleep(0.1)  # so that its first look is over: the next one must see it
        await one.refused(RateLimited("429", delay_seconds=30))
        await asyncio.sleep(1.0)  # the bound that is promised: what is asked is how it is then
        assert not await passes(other)
        assert not await passes(one)
    finally:
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)


async def test_a_shorter_cool_down_does_not_end_a_longer_one(lab: Lab) -> None:
    gate = await lab.gate()
    await gate.refused(RateLimited("429", delay_seconds=40))
    await gate.refused(RateLimited("429"))
    assert (await lab.state()).cool_down_seconds(lab.now()) > 20


async def test_an_outage_that_says_for_how_long_is_a_cool_down_too(lab: Lab) -> None:
    gate = await lab.gate()
    await gate.refused(ProviderUnavailable("503"))
    assert (await lab.state()).cool_down_until is None
    await gate.refused(ProviderUnavailable("503", delay_seconds=20))
    assert not await passes(gate)


async def take(gate: MongoGate, lab: Lab, times: int, granted: list[datetime]) -> None:
    for _ in range(times):
        assert await gate.enter() == 0.0
        granted.append(lab.now())


async def test_all_workers_together_never_pass_more_than_the_rate(lab: Lab) -> None:
    interval = timedelta(seconds=0.05)
    gates = [await lab.gate(1200) for _ in range(4)]
    assert await gates[0].enter() == 0.0
    begun = (await lab.state()).slot_at
    assert begun is not None
    granted: list[datetime] = []
    await asyncio.gather(*(take(gate, lab, 5, granted) for gate in gates for _ in range(3)))

    ended = (await lab.state()).slot_at
    assert ended is not None
    assert ended - begun >= 60 * interval, "60 calls moved the line by 60 places"
    for number, moment in enumerate(sorted(granted)):
        assert moment >= begun + number * interval - _A_TICK, "no call before its place came"


async def test_places_behind_a_cool_down_are_given_anew_and_none_is_lost(lab: Lab) -> None:
    one, other = await lab.gate(60 / 0.05), await lab.gate(60 / 0.05)
    granted: list[datetime] = []
    standing = [asyncio.create_task(take(gate, lab, 1, granted)) for gate in (one, other) for _ in range(100)]

    async def line_is_long() -> bool:
        slot_at = (await lab.state()).slot_at
        return slot_at is not None and (slot_at - lab.now()).total_seconds() > 3

    while not await line_is_long():  # noqa: ASYNC110 - the database has no event for it
        await asyncio.sleep(0.01)
    await one.refused(RateLimited("429", delay_seconds=1.0))
    await other.refresh()
    cool = (await lab.state()).cool_down_until
    assert cool is not None
    seen = len(granted)
    await asyncio.wait_for(asyncio.gather(*standing), 60)

    after = sorted(granted)[seen:]
    for number, moment in enumerate(after):
        assert moment >= cool + timedelta(seconds=0.05 * number) - _A_TICK
    assert len(granted) == 200


async def test_a_place_that_comes_while_the_breaker_is_open_is_not_used(lab: Lab) -> None:
    gate = await lab.gate(60)
    assert await gate.enter() == 0.0
    waiting = asyncio.ensure_future(gate.enter())
    await asyncio.sleep(0)
    await gate.refused(QuotaExhausted())
    done, _ = await asyncio.wait({waiting}, timeout=1.5)
    assert not done
    await lab.breakers.close(GPT)
    await gate.refresh()
    assert await asyncio.wait_for(waiting, 10) == 0.0


async def test_of_a_line_of_more_than_a_minute_no_place_is_taken_and_the_message_is_held(lab: Lab) -> None:
    gate = await lab.gate(rate_per_minute=1)
    assert await gate.enter() == 0.0
    waiting = asyncio.ensure_future(gate.enter())
    first: Any = None
    while first is None or first <= lab.now() + timedelta(seconds=61):
        first = (await lab.state()).slot_at
        await asyncio.sleep(0.01)
    holding = asyncio.ensure_future(gate.enter())
    done, _ = await asyncio.wait({holding}, timeout=1.0)
    assert not done, "it is held, and not parked"
    assert (await lab.state()).slot_at == first, "what was not taken is not used up"
    for message in (waiting, holding):  # as a stop does
        message.cancel()
    ended = await asyncio.wait_for(asyncio.gather(waiting, holding, return_exceptions=True), 10)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


async def test_a_backlog_longer_than_the_line_goes_through_in_step_and_nothing_of_it_is_parked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "LONGEST_HOLD_SECONDS", 3.0)
    interval = timedelta(seconds=0.05)
    gates, granted = [await lab.gate(60 / 0.05) for _ in range(2)], list[datetime]()
    assert await gates[0].enter() == 0.0
    begun = (await lab.state()).slot_at
    standing = [asyncio.create_task(take(gate, lab, 1, granted)) for gate in gates for _ in range(60)]

    async def enough_went() -> bool:
        await asyncio.sleep(0.01)
        return len(granted) >= 70 or any(waiting.done() and waiting.exception() for waiting in standing)

    while not await enough_went():
        slot_at = (await lab.state()).slot_at
        assert slot_at is None or (slot_at - lab.now()).total_seconds() <= 3.0 + 0.05 + 0.5, "the line stays short"
    await gates[0].refused(RateLimited("429", delay_seconds=0.3))  # by then they have been held for over three seconds
    cool = (await lab.state()).cool_down_until
    await gates[1].refresh()
    seen = len(granted)
    await asyncio.wait_for(asyncio.gather(*standing), 60)

    assert begun is not None
    assert cool is not None
    assert len(granted) == 120
    for number, moment in enumerate(sorted(granted)[:seen]):
        assert moment >= begun + number * interval - _A_TICK, "no call without a place of its own"
    for number, moment in enumerate(sorted(granted)[seen:]):
        assert moment >= cool + number * interval - _A_TICK


async def test_the_rate_that_workers_keep_can_be_seen(lab: Lab) -> None:
    await lab.gate(50)
    assert (await lab.state()).rate_per_minute == 50
