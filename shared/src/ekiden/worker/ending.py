"""From an error and the policy's verdict to what the ledger writes."""

from dataclasses import replace

from ekiden.domain.ids import Micros
from ekiden.errors import (
    ContextTooLong,
    InvalidOutput,
    NotBought,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    RunFailed,
)
from ekiden.masking import hide
from ekiden.retry import Again, Ask, Tally, Verdict, held_back
from ekiden.worker.ledger import Completed, Ended


def outcome_of(error: ProviderError) -> str:
    """The word for how a submission ended, as the ledger keeps it."""
    match error:
        case NotSent():
            return "not_sent"
        case NotBought() if held_back(error):
            return "held_back"
        case NotBought():
            return "refused"
        case InvalidOutput():
            return "unusable"
        case OutcomeUnknown():
            return "unknown"
        case RunFailed():
            return "failed"
        case _:
            return "rejected"


def is_answer(error: ProviderError) -> bool:
    """Whether the provider worked on the call, so that it is neither out of order nor refuses us."""
    return isinstance(error, InvalidOutput | RunFailed) or (isinstance(error, Rejected) and error.billed != 0)


def tally_with(tally: Tally, error: ProviderError) -> Tally:
    """The task's tally with this error counted."""
    outcome = outcome_of(error)
    return replace(
        tally,
        refused=tally.refused + (outcome == "refused"),
        unusable=tally.unusable + (outcome == "unusable"),
        unknown=tally.unknown + (outcome == "unknown"),
    )


def with_known_cost(answer: Completed, cap: Micros) -> Completed:
    """The answer with a cost that can be booked: the cap of one call where the provider did not say."""
    if answer.usage.billed is not None:
        return answer
    usage = replace(answer.usage, billed=cap, price="not given: booked at the cap")
    return replace(answer, usage=usage, flags=(*answer.flags, "cost_not_given"))


def ending_of(error: ProviderError, verdict: Verdict, cap: Micros) -> Ended:
    """What nobody knows the cost of is booked at the cap of one call: that is the money at risk."""
    return Ended(
        outcome=outcome_of(error),
        error=type(error).__name__,
        message=_told(error),
        billed=cap if error.billed is None else Micros(error.billed),
        again_seconds=verdict.delay_seconds if isinstance(verdict, Again) else None,
        ask=isinstance(verdict, Ask),
        may_pass=error.may_pass,
        too_long=isinstance(error, ContextTooLong),
    )


def _told(error: ProviderError) -> str:
    """The error's text as it is kept and shown: a provider's may hold half a character, ours an address."""
    return hide(str(error))[:2000].encode("utf-8", "replace").decode()
