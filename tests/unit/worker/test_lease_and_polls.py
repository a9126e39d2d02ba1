"""Leases by our own clock, when to ask for a run's answer, and where a fault test may let us die."""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from ekiden.errors import NotSent
from ekiden.worker.lease import LEASE_SECONDS, Leases
from ekiden.worker.polling import LONGEST_SECONDS, SHORTEST_SECONDS, UNMEASURED_SECONDS, PollPlan


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("age", "safe"), [(0, True), (5.9, True), (6.0, False), (8.0, False)])
def test_a_claim_is_sent_by_for_three_quarters_of_a_lease(age: float, safe: bool) -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = age
    assert leases.safe(0.0) is safe


def test_a_renewal_makes_a_claim_safe_for_longer() -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = 5.0
    leases.renewed(4.0)
    clock.now = 9.9
    assert leases.safe(1.0)


def test_a_renewal_that_was_asked_for_before_the_claim_was_in_hand_does_not_count_for_it() -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = 16.0
    leases.renewed(15.0)
    clock.now = 18.0
    assert not leases.safe(9.0, held_at=17.5)
    leases.renewed(17.8)
    assert leases.safe(9.0, held_at=17.5)


def test_a_renewal_counts_from_when_it_was_asked_for() -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = 5.0
    leases.renewed(0.0)
    clock.now = 6.5
    assert not leases.safe(0.0)


def test_a_late_answer_to_an_old_renewal_takes_nothing_back() -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = 5.0
    leases.renewed(5.0)
    leases.renewed(1.0)
    clock.now = 10.0
    assert leases.fresh


def test_without_renewals_nothing_new_is_started() -> None:
    clock = Clock()
    leases = Leases(clock)
    clock.now = LEASE_SECONDS
    assert not leases.fresh


def test_a_fence_that_was_passed_says_so() -> None:
    fence = Leases(Clock()).fence(0.0)
    fence.check()
    assert fence.passed


def test_a_fence_that_stopped_a_call_was_not_passed() -> None:
    clock = Clock()
    fence = Leases(clock).fence(0.0)
    clock.now = LEASE_SECONDS
    with pytest.raises(NotSent):
        fence.check()
    assert not fence.passed


def test_before_anything_was_measured_polls_come_early_and_then_every_few_seconds() -> None:
    assert list(islice(PollPlan().waits(), 7)) == [*UNMEASURED_SECONDS, LONGEST_SECONDS / 2, LONGEST_SECONDS / 2]


def test_a_fixed_interval_overrides_the_plan() -> None:
    plan = PollPlan(fixed=0.2)
    plan.measured(70)
    assert list(islice(plan.waits(), 3)) == [0.2, 0.2, 0.2]


def measured(*seconds: float) -> PollPlan:
    plan = PollPlan()
    for took in seconds:
        plan.measured(took)
    return plan


def test_the_first_poll_comes_before_the_median_and_the_next_in_small_steps() -> None:
    assert list(islice(measured(60, 70, 80).waits(), 3)) == pytest.approx([42, 7, 7])


def test_polls_are_never_too_many() -> None:
    assert list(islice(measured(0.1).waits(), 2)) == pytest.approx([0.06, SHORTEST_SECONDS])


def test_polls_are_never_too_rare() -> None:
    assert list(islice(measured(900).waits(), 2)) == [540, LONGEST_SECONDS]


def test_only_the_last_hundred_runs_count() -> None:
    assert measured(*[1000.0] * 100, *[10.0] * 100).median == 10


def reach(point: str, asked_in: Path) -> int:
    """Reach a point in a process of its own; answer how that ended."""
    environment = {**os.environ, "EKIDEN_CRASH_FILE": str(asked_in)}
    code = f"from ekiden.crashpoints import reach; reach({point!r})"
    run = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL, check=False)
    return run.returncode


def test_a_process_dies_once_at_the_point_that_was_asked_for(tmp_path: Path) -> None:
    asked = tmp_path / "point"
    asked.write_text("gpt:after_claim\n")
    assert [reach("gpt:after_claim", asked) for _ in range(2)] == [9, 0]


def test_a_process_lives_on_at_any_other_point(tmp_path: Path) -> None:
    asked = tmp_path / "point"
    asked.write_text("gpt:before_claim")
    assert (reach("gpt:after_claim", asked), asked.exists()) == (0, True)


def test_a_process_lives_when_nothing_was_asked_for(tmp_path: Path) -> None:
    assert reach("gpt:after_claim", tmp_path / "nothing") == 0
