"""What the metrics say of a call that brought no answer."""

import pytest
from prometheus_client import REGISTRY

from ekiden.domain.ids import Micros
from ekiden.domain.plan import Provider
from ekiden.worker.bill import count_failure
from ekiden.worker.ledger import Ended


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"ekiden_{name}", {"provider": "gpt", **labels}) or 0.0


@pytest.mark.parametrize(("error", "outcome"), [("RateLimited", "refused"), ("ProviderUnavailable", "held_back")])
def test_a_call_that_failed_is_counted_by_its_error_and_by_its_outcome(error: str, outcome: str) -> None:
    errors, requests = (
        counted("provider_errors_total", error=error),
        counted("provider_requests_total", model="", outcome=outcome),
    )

    count_failure(Provider.GPT, Ended(outcome, error, "429"), Micros(100))

    assert counted("provider_errors_total", error=error) == errors + 1
    assert counted("provider_requests_total", model="", outcome=outcome) == requests + 1


def test_money_at_risk_is_not_counted_as_spent() -> None:
    spent = counted("provider_cost_usd_total")

    count_failure(Provider.GPT, Ended("unknown", "OutcomeUnknown", "cut", billed=Micros(10_000)), Micros(10_000))
    assert counted("provider_cost_usd_total") == spent

    count_failure(Provider.GPT, Ended("failed", "RunFailed", "no", billed=Micros(10_000)), Micros(10_000))
    assert counted("provider_cost_usd_total") == pytest.approx(spent + 0.01)
