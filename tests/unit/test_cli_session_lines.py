"""What a person reads of a session's health, its ledger, and what a command would cost."""

from ekiden_cli.session_lines import forecast_lines, recovery_lines, task_lines
from ekiden_client import Forecast, HealthReport, Task

TASK = "ses_0199c0ffee0077778888999900001111.1E.g1.0"


def test_a_health_report_shows_the_evidence_and_the_money_at_risk() -> None:
    health = {
        "isHealthy": False,
        "summary": "Nobody can say.",
        "issues": ["its answer was lost"],
        "evidence": [{"about": "queue", "subject": "perplexity", "says": "3 messages wait and nobody consumes."}],
        "atRiskUsd": 0.06,
    }

    lines = list(recovery_lines(HealthReport.model_validate({"sessionId": "ses_1", "health": health})))

    assert lines[0] == "Nobody can say."
    assert "  At risk of being paid twice: $0.0600" in lines
    assert "  perplexity: 3 messages wait and nobody consumes." in lines


def test_a_dry_run_says_what_is_there_already() -> None:
    forecast = Forecast.model_validate({"cached": 2, "savedUsd": 0.02})

    assert "cached:  2 searches are there already, which saves $0.0200" in list(forecast_lines(forecast))
    assert not any("cached" in line for line in forecast_lines(Forecast()))


def test_the_ledger_shows_each_sending_with_its_run() -> None:
    sent = {"outcome": "unknown", "costUsd": 0.06, "runId": "resp_1", "error": "OutcomeUnknown", "message": "502"}
    task = {"id": TASK, "status": "OUTCOME_UNKNOWN", "costUsd": 0.06, "atRiskUsd": 0.06, "submissions": [sent]}

    first, second = task_lines([Task.model_validate(task)])

    assert first == f"{TASK}  OUTCOME_UNKNOWN  $0.0600, $0.0600 at risk"
    assert second.split() == ["unknown", "$0.0600", "run", "resp_1", "OutcomeUnknown:", "502"]
