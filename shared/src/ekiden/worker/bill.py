"""What calls were and cost, as metrics; the ledger has the same per task."""

import structlog

from ekiden.domain.ids import Micros
from ekiden.domain.plan import Provider
from ekiden.metrics import CALLS_ABOVE_CAP, PROVIDER_COST, PROVIDER_ERRORS, PROVIDER_REQUESTS, PROVIDER_TOKENS
from ekiden.worker.ledger import Completed, Ended

log = structlog.get_logger()


def count_answer(provider: Provider, answer: Completed, cap: Micros) -> None:
    usage = answer.usage
    PROVIDER_REQUESTS.labels(provider=provider, model=usage.model, outcome="completed").inc()
    PROVIDER_TOKENS.labels(provider=provider, direction="input").inc(usage.input_tokens)
    PROVIDER_TOKENS.labels(provider=provider, direction="output").inc(usage.output_tokens)
    _count_cost(provider, usage.billed or Micros(0), cap)


def count_failure(provider: Provider, ending: Ended, cap: Micros) -> None:
    """A call without an answer. What is booked for an unknown outcome is money at risk, and not yet spent."""
    PROVIDER_REQUESTS.labels(provider=provider, model="", outcome=ending.outcome).inc()
    PROVIDER_ERRORS.labels(provider=provider, error=ending.error).inc()
    if ending.outcome != "unknown":
        _count_cost(provider, ending.billed, cap)


def _count_cost(provider: Provider, billed: Micros, cap: Micros) -> None:
    PROVIDER_COST.labels(provider=provider).inc(billed / 1_000_000)
    if billed > cap:  # its reservation was too small, so the budget may be passed by the difference
        CALLS_ABOVE_CAP.labels(provider=provider).inc()
        log.warning("cap_exceeded", billed=billed, cap=cap)
