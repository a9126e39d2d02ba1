"""When a call may be made again."""

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiden.domain.ids import Micros
from ekiden.domain.plan import Plan, Provider
from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    InvalidOutput,
    Misconfigured,
    NotBought,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    Rejected,
    RequestRejected,
    RunFailed,
    RunLost,
)
from ekiden.retry import (
    PAID_CALLS,
    REFUSED_ATTEMPTS,
    REFUSED_SECONDS,
    Again,
    Ask,
    Stop,
    Tally,
    UnknownOutcome,
    Verdict,
    after_unknown,
    again,
    opens_breaker,
    worst_case_calls,
)
from ekiden.worker.ending import ending_of, is_answer, outcome_of, tally_with
from ekiden.workflow.package import read_package

GPT, SEARCH = Provider.GPT, Provider.PERPLEXITY
RESEND, ASK = UnknownOutcome.RESEND, UnknownOutcome.ASK
CAP = Micros(60)
EITHER, BOTH = tuple(UnknownOutcome), tuple(Provider)


def held(error: NotBought) -> NotBought:
    """A refusal that came while the breaker was open."""
    error.held_back = True
    return error


TABLE: list[tuple[ProviderError, Tally, tuple[Provider, ...], tuple[UnknownOutcome, ...], Verdict]] = [
    (RateLimited(), Tally(refused=1), BOTH, EITHER, Again(0.5)),
    (RateLimited(), Tally(refused=2), BOTH, EITHER, Again(1.0)),
    (RateLimited(), Tally(refused=7), BOTH, EITHER, Again(32.0)),
    (RateLimited(), Tally(refused=8), BOTH, EITHER, Stop()),
    (RateLimited(delay_seconds=7.5), Tally(refused=1), BOTH, EITHER, Again(7.5)),
    (RateLimited(delay_seconds=7.5), Tally(refused=8), BOTH, EITHER, Stop()),
    (RateLimited(), Tally(refused=2, age_seconds=899), BOTH, EITHER, Again(1.0)),
    (RateLimited(), Tally(refused=2, age_seconds=900), BOTH, EITHER, Stop()),
    (ProviderUnavailable(), Tally(refused=1), BOTH, EITHER, Again(0.5)),
    (ProviderUnavailable(), Tally(refused=8), BOTH, EITHER, Stop()),
    (NotSent(), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (QuotaExhausted(), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (AuthenticationFailed(), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (held(ProviderUnavailable()), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (held(RateLimited(delay_seconds=30)), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (RateLimited(delay_seconds=900), Tally(refused=1), BOTH, EITHER, Again(900)),
    (RateLimited(delay_seconds=900), Tally(refused=8), BOTH, EITHER, Stop()),
    (RateLimited(delay_seconds=86_400), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (ProviderUnavailable(delay_seconds=901), Tally(refused=99), BOTH, EITHER, Again(0.0)),
    (Misconfigured(), Tally(refused=99, age_seconds=9_999), BOTH, EITHER, Again(0.0)),
    (RequestRejected(), Tally(), BOTH, EITHER, Stop()),
    (ContextTooLong(), Tally(), BOTH, EITHER, Stop()),
    (RunFailed(), Tally(), BOTH, EITHER, Stop()),
    (InvalidOutput(), Tally(unusable=1), (GPT,), EITHER, Again(0.0)),
    (InvalidOutput(), Tally(unusable=2), (GPT,), EITHER, Again(0.0)),
    (InvalidOutput(), Tally(unusable=3), (GPT,), EITHER, Stop()),
    (InvalidOutput(), Tally(unusable=1), (SEARCH,), EITHER, Stop()),
    (OutcomeUnknown(), Tally(unknown=1), BOTH, (RESEND,), Again(2.0)),
    (OutcomeUnknown(), Tally(unknown=2), BOTH, (RESEND,), Again(8.0)),
    (OutcomeUnknown(), Tally(unknown=3), BOTH, (RESEND,), Again(32.0)),
    (OutcomeUnknown(), Tally(unknown=4), BOTH, (RESEND,), Ask()),
    (OutcomeUnknown(), Tally(unknown=1), BOTH, (ASK,), Ask()),
    (RunLost(), Tally(unknown=1), BOTH, EITHER, Ask()),
]
ROWS = [
    (error, tally, provider, policy, verdict)
    for error, tally, providers, policies, verdict in TABLE
    for provider, policy in product(providers, policies)
]


@pytest.mark.parametrize(("error", "tally", "provider", "policy", "verdict"), ROWS)
def test_every_row_of_the_policy(
    error: ProviderError, tally: Tally, provider: Provider, policy: UnknownOutcome, verdict: Verdict
) -> None:
    assert again(error, tally, provider, policy, jitter=0.5) == verdict


@pytest.mark.parametrize("row", ROWS)
def test_what_is_queued_again_without_a_count_has_an_outcome_without_a_count(
    row: tuple[ProviderError, Tally, Provider, UnknownOutcome, Verdict],
) -> None:
    error, _, provider, policy, _ = row
    worn = Tally(refused=REFUSED_ATTEMPTS, unusable=9, unknown=9, age_seconds=REFUSED_SECONDS)
    endless = isinstance(again(error, worn, provider, policy, 0.5), Again)
    assert endless is (outcome_of(error) in {"held_back", "not_sent"})
    assert endless is (tally_with(Tally(), error) == Tally() and isinstance(error, NotBought))


def test_what_was_freed_from_a_dead_worker_is_sent_again_at_once() -> None:
    assert [after_unknown(unknown, RESEND) for unknown in range(1, 5)] == [Again(0.0)] * 3 + [Ask()]


def leaves(kind: type[ProviderError]) -> list[type[ProviderError]]:
    return [leaf for child in kind.__subclasses__() for leaf in leaves(child)] or [kind]


def test_every_provider_error_has_a_row() -> None:
    ours = {leaf for leaf in leaves(ProviderError) if leaf.__module__ == "ekiden.errors"} | {OutcomeUnknown}
    assert ours == {type(error) for error, *_ in TABLE}


@given(refused=st.integers(1, 7), jitter=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_shorter_than_a_tenth_of_a_second_nor_longer_than_two_minutes(
    refused: int, jitter: float
) -> None:
    verdict = again(RateLimited(), Tally(refused=refused), GPT, RESEND, jitter)
    assert isinstance(verdict, Again)
    assert 0.1 <= verdict.delay_seconds <= 120


PAID = (InvalidOutput, OutcomeUnknown, RunFailed, None)
FREE = (RateLimited, NotSent, QuotaExhausted, RequestRejected)


@given(st.lists(st.sampled_from([*PAID, *FREE]), max_size=30), st.sampled_from(BOTH), st.sampled_from(EITHER))
def test_a_task_never_pays_for_more_calls_than_were_reserved(
    course: list[type[ProviderError] | None], provider: Provider, policy: UnknownOutcome
) -> None:
    tally, paid = Tally(), 0
    for kind in course:
        paid += kind in PAID
        if kind is None:
            break
        error = kind()
        tally = tally_with(tally, error)
        if not isinstance(again(error, tally, provider, policy, 0.5), Again):
            break
    assert paid <= PAID_CALLS[provider.kind, policy]


@pytest.mark.parametrize("key", list(product(Provider, UnknownOutcome)))
def test_the_reserved_calls_can_all_be_needed(key: tuple[Provider, UnknownOutcome]) -> None:
    provider, policy = key
    tally, paid = Tally(), 0
    for error in [InvalidOutput(), InvalidOutput(), OutcomeUnknown(), OutcomeUnknown(), OutcomeUnknown(), RunFailed()]:
        following = tally_with(tally, error)
        if isinstance(again(error, following, provider, policy, 0.5), Again):
            tally, paid = following, paid + 1
    assert paid + 1 == PAID_CALLS[provider.kind, policy]


OUTCOMES = {
    NotSent: "not_sent",
    RateLimited: "refused",
    ProviderUnavailable: "refused",
    QuotaExhausted: "held_back",
    AuthenticationFailed: "held_back",
    Misconfigured: "held_back",
    InvalidOutput: "unusable",
    OutcomeUnknown: "unknown",
    RunFailed: "failed",
    RequestRejected: "rejected",
    ContextTooLong: "rejected",
}


@pytest.mark.parametrize(("kind", "word"), OUTCOMES.items())
def test_every_error_has_its_word_in_the_ledger(kind: type[ProviderError], word: str) -> None:
    assert outcome_of(kind()) == word


def test_what_was_paid_for_is_an_answer_and_a_doubt_is_none() -> None:
    paid = [kind for kind in OUTCOMES if is_answer(kind("", billed=5) if issubclass(kind, Rejected) else kind())]
    assert paid == [InvalidOutput, RunFailed, RequestRejected, ContextTooLong]
    assert not is_answer(RequestRejected())
    assert is_answer(RequestRejected(billed=None)), "nobody knows what it cost, but it did cost"


@pytest.mark.parametrize("error", [ProviderUnavailable(), RateLimited(), QuotaExhausted()])
def test_a_refusal_at_an_open_breaker_is_held_back_and_counts_as_nothing(error: NotBought) -> None:
    assert outcome_of(held(error)) == "held_back"
    assert tally_with(Tally(), error) == Tally()


@pytest.mark.parametrize(("delay", "opens"), [(None, False), (900.0, False), (900.1, True), (86_400.0, True)])
def test_only_a_delay_longer_than_a_task_is_tried_opens_the_breaker(delay: float | None, opens: bool) -> None:
    assert opens_breaker(RateLimited(delay_seconds=delay)) is opens
    assert opens_breaker(ProviderUnavailable(delay_seconds=delay)) is opens


POLICIES: dict[UnknownOutcome, dict[Provider, UnknownOutcome]] = {
    RESEND: {GPT: RESEND, SEARCH: ASK},
    ASK: {GPT: ASK, SEARCH: RESEND},
}


def viral_content(policies: dict[Provider, UnknownOutcome]) -> Plan:
    package = read_package(Path(__file__).parents[3] / "workflows" / "viral-content")
    return package.compile(policies).plan


def test_the_page_of_costs_states_the_worst_case_that_is_computed() -> None:
    calls = worst_case_calls(viral_content(POLICIES[RESEND]))
    page = (Path(__file__).parents[3] / "docs" / "cost.md").read_text("utf-8")
    stated = {
        found["provider"]: int(found["calls"])
        for found in re.finditer(
            r"^\| (?P<provider>GPT|Perplexity) \| \d+[^|]*\| (?P<calls>\d+) \|$", page, re.MULTILINE
        )
    }
    assert stated == {"GPT": calls[GPT], "Perplexity": calls[SEARCH]}


def test_the_worst_case_follows_the_policies() -> None:
    calls = worst_case_calls(viral_content(POLICIES[ASK]))
    assert calls == {GPT: 10 * (3 * 6 + 2), SEARCH: 3 * (4 * 6 + 3)}


def test_a_call_that_was_not_sent_counts_as_nothing() -> None:
    assert tally_with(Tally(), NotSent()) == Tally()


def test_an_unknown_outcome_is_booked_at_the_cap() -> None:
    assert ending_of(OutcomeUnknown(), Ask(), CAP).billed == 60


def test_a_refused_call_is_booked_at_nothing() -> None:
    assert ending_of(RateLimited(), Stop(), CAP).billed == 0


def test_a_failed_run_is_booked_at_what_it_cost() -> None:
    assert ending_of(RunFailed(billed=17), Stop(), CAP).billed == 17


@pytest.mark.parametrize("kind", [kind for kind in OUTCOMES if issubclass(kind, NotBought)])
def test_what_was_not_bought_may_pass(kind: type[ProviderError]) -> None:
    assert ending_of(kind(), Stop(), CAP).may_pass


def test_only_a_prompt_that_is_too_long_asks_for_a_shorter_one() -> None:
    assert [kind for kind in OUTCOMES if ending_of(kind(), Stop(), CAP).too_long] == [ContextTooLong]
