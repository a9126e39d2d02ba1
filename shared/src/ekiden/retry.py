"""When a call may be made again: the only place that says so.

`again` is a pure policy from what happened to what is done; nothing here sleeps. Every delay becomes a
`notBefore` in the ledger. The numbers are DESIGN's: known-not-bought refusals 8 attempts within 15 minutes,
1 s doubling to 120 s with full jitter; an answer of the wrong form twice more; an unknown outcome by policy, after
pauses of up to 4, 16 and 64 s, so that an outage that speaks no refusal does not take all resends at once.

A provider's own delay is obeyed up to those 15 minutes. One that asks for more is not slowing us down, it is out of
order for us: its breaker opens, so the task waits without using up an attempt, and a probe finds out when that ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ekiden.domain.plan import Plan, Provider
from ekiden.domain.progress import AUTOMATIC_RETRIES
from ekiden.domain.provider import Kind
from ekiden.errors import InvalidOutput, NotBought, NotSent, OutcomeUnknown, ProviderError, RunLost

REFUSED_ATTEMPTS = 8
REFUSED_SECONDS = 15 * 60
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 120.0
REPAIRS = 2
RESENDS = 3


class UnknownOutcome(StrEnum):
    """What is done when nobody can say whether a call was bought."""

    RESEND = "resend"
    ASK = "ask"


USUAL_POLICY: Mapping[Kind, UnknownOutcome] = {Kind.TEXT: UnknownOutcome.RESEND, Kind.SEARCH: UnknownOutcome.ASK}
PAID_CALLS: Mapping[tuple[Kind, UnknownOutcome], int] = {
    (Kind.TEXT, UnknownOutcome.RESEND): 1 + REPAIRS + RESENDS,
    (Kind.TEXT, UnknownOutcome.ASK): 1 + REPAIRS,
    (Kind.SEARCH, UnknownOutcome.RESEND): 1 + RESENDS,
    (Kind.SEARCH, UnknownOutcome.ASK): 1,
}
"""The most calls one task may pay for, by kind and policy. A search's answer is never asked for twice."""


def usual_policies() -> Mapping[Provider, UnknownOutcome]:
    """What is done about each provider's unknown outcomes unless a setting says otherwise."""
    return {provider: USUAL_POLICY[provider.kind] for provider in Provider}


def worst_case_calls(plan: Plan) -> Mapping[Provider, int]:
    """Count the calls a session may pay for by itself, if all goes as wrong as it can; its budget stops it earlier.

    Every task of a step pays for all its policy allows, and its step is ordered again as often as it may be. One
    order more comes from a prompt that is too long, whose last call was refused and not paid.
    """
    calls = dict.fromkeys(Provider, 0)
    for step in plan.steps:
        for source in step.sources:
            of_one = source.paid_calls * (1 + AUTOMATIC_RETRIES) + (source.paid_calls - 1)
            calls[source.provider] += of_one * (step.at_most if step.for_each else 1)
    return calls


@dataclass(frozen=True, slots=True)
class Tally:
    """What a task has been through: counts of its submissions by outcome, and for how long it has been refused.

    `age_seconds` runs from the first refusal that counts, and begins anew after a wait for the breaker.
    """

    refused: int = 0
    unusable: int = 0
    unknown: int = 0
    age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Again:
    """Queue the task again, claimable after a delay."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The task has failed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Nobody may go on before a person has said what to do."""


Verdict = Again | Stop | Ask


def again(error: ProviderError, tally: Tally, provider: Provider, policy: UnknownOutcome, jitter: float) -> Verdict:
    """Say what follows an error. `tally` counts this error too; `jitter` is a random number in [0, 1)."""
    match error:
        case RunLost():
            return Ask()
        case OutcomeUnknown():
            verdict = after_unknown(tally.unknown, policy)
            return Again(_pause(2 * tally.unknown + 1, jitter)) if isinstance(verdict, Again) else verdict
        case NotSent():
            return Again(0.0)
        case NotBought() if held_back(error):
            return Again(0.0)
        case NotBought():
            if tally.refused >= REFUSED_ATTEMPTS or tally.age_seconds >= REFUSED_SECONDS:
                return Stop()
            return Again(error.delay_seconds if error.delay_seconds is not None else _pause(tally.refused, jitter))
        case InvalidOutput() if provider.kind is Kind.TEXT and tally.unusable <= REPAIRS:
            return Again(0.0)
        case _:
            return Stop()


def held_back(error: NotBought) -> bool:
    """Whether a refusal is the matter of the provider, whose breaker is open: it uses up no attempt of the task."""
    return error.held_back or opens_breaker(error)


def opens_breaker(error: ProviderError) -> bool:
    """Whether this one refusal says that no call will be accepted, for longer than a task is tried."""
    asked = error.delay_seconds if isinstance(error, NotBought) else None
    return error.opens_breaker or (asked is not None and asked > REFUSED_SECONDS)


def after_unknown(unknown: int, policy: UnknownOutcome) -> Again | Ask:
    """What the `unknown`-th unknown outcome of a task leads to. At once: its worker may have died of its own accord."""
    return Again(0.0) if policy is UnknownOutcome.RESEND and unknown <= RESENDS else Ask()


def _pause(attempt: int, jitter: float) -> float:
    """Exponential with full jitter, in seconds; never less than the first delay's tenth, so that it is a pause."""
    ceiling = min(FIRST_DELAY_SECONDS * 2 ** (attempt - 1), LONGEST_DELAY_SECONDS)
    return max(ceiling * jitter, FIRST_DELAY_SECONDS / 10)
