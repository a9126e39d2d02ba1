"""What the orchestrator's environment may say of retention."""

from datetime import timedelta

import pytest

from ekiden.settings import read_settings
from ekiden_orchestrator.settings import OrchestratorSettings


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETENTION_DAYS", "SEARCH_CACHE_SECONDS"):
        monkeypatch.delenv(f"EKIDEN_{name}", raising=False)
    monkeypatch.setenv("EKIDEN_AMQP_URL", "amqp://localhost/")
    monkeypatch.setenv("EKIDEN_MONGODB_URL", "mongodb://localhost/")


def test_everything_is_kept_unless_asked_otherwise() -> None:
    assert read_settings(OrchestratorSettings).retention is None


@pytest.mark.parametrize("value", ["off", ""])
def test_retention_may_be_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EKIDEN_RETENTION_DAYS", value)
    assert read_settings(OrchestratorSettings).retention is None


@pytest.mark.parametrize(("value", "kept"), [("90", timedelta(days=90)), ("0.5", timedelta(hours=12))])
def test_it_is_counted_in_days(monkeypatch: pytest.MonkeyPatch, value: str, kept: timedelta) -> None:
    monkeypatch.setenv("EKIDEN_RETENTION_DAYS", value)
    assert read_settings(OrchestratorSettings).retention == kept


def test_nothing_is_pruned_that_may_still_answer_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_RETENTION_DAYS", "1")
    monkeypatch.setenv("EKIDEN_SEARCH_CACHE_SECONDS", "172800")
    assert read_settings(OrchestratorSettings).retention == timedelta(days=2)


@pytest.mark.parametrize("value", ["0", "-1", "never"])
def test_anything_else_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("EKIDEN_RETENTION_DAYS", value)
    with pytest.raises(SystemExit):
        read_settings(OrchestratorSettings)
    assert "EKIDEN_RETENTION_DAYS" in capsys.readouterr().err


def test_the_clock_begins_nothing_unless_the_scheduler_is_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(OrchestratorSettings).scheduler == "off"
    monkeypatch.setenv("EKIDEN_SCHEDULER", "on")
    assert read_settings(OrchestratorSettings).scheduler == "on"
