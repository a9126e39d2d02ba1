"""What the gateway's environment may say, and to whom it opens."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ekiden.settings import read_settings
from ekiden_gateway.keys import Keyring, Scope
from ekiden_gateway.settings import PACKAGED_WORKFLOWS, GatewaySettings

SECRET = "a-long-enough-secret"


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_HOST", "GATEWAY_PORT", "AUTH", "API_KEYS", "WORKFLOWS_DIR", "CLIENT_SESSIONS"):
        monkeypatch.delenv(f"EKIDEN_{name}", raising=False)
    monkeypatch.setenv("EKIDEN_AMQP_URL", "amqp://localhost/")
    monkeypatch.setenv("EKIDEN_MONGODB_URL", "mongodb://localhost/")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_it_is_open_on_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_HOST", host)
    assert read_settings(GatewaySettings).keyring.is_open


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_it_refuses_to_be_open_to_the_world(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_HOST", host)
    with pytest.raises(SystemExit) as ended:
        read_settings(GatewaySettings)
    assert ended.value.code == 2
    assert "EKIDEN_AUTH" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("EKIDEN_AUTH", "off"), ("EKIDEN_API_KEYS", f"me:{SECRET}")])
def test_keys_or_a_plain_word_open_it_to_the_world(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_HOST", "0.0.0.0")
    monkeypatch.setenv(name, value)
    assert read_settings(GatewaySettings).keyring.is_open == (name == "EKIDEN_AUTH")


@pytest.mark.parametrize(
    "keys",
    [
        "alone",
        "a:short",
        f":{SECRET}",
        f"a:{SECRET}:fly",
        f"a:{SECRET},a:{SECRET}2,a:{SECRET}3",
        f"a:{SECRET},b:{SECRET}",
    ],
)
def test_wrong_keys_are_refused(keys: str) -> None:
    with pytest.raises(ValueError, match=r"key|secret|scopes"):
        Keyring.read(keys)


def test_a_key_is_found_by_its_secret_and_keeps_its_scopes() -> None:
    ring = Keyring.read(f"a:{SECRET}:read,write, b:other-{SECRET}")
    found = ring.find(SECRET)
    assert found is not None
    assert (found.client, found.scopes) == ("a", {Scope.READ, Scope.WRITE})
    other = ring.find(f"other-{SECRET}")
    assert other is not None
    assert other.scopes == set(Scope)
    assert ring.find("no-such-secret-at-all") is None
    assert SECRET not in repr(ring)


def test_the_packaged_workflows_are_where_they_are_looked_for() -> None:
    assert (PACKAGED_WORKFLOWS / "viral-content" / "workflow.yaml").exists()


def test_a_workflow_folder_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EKIDEN_WORKFLOWS_DIR", str(tmp_path / "none"))
    with pytest.raises(ValidationError, match="no folder"):
        GatewaySettings(amqp_url="amqp://x/", mongodb_url="mongodb://x/")


@pytest.mark.parametrize(("value", "limit"), [(None, None), ("unlimited", None), ("", None), ("20", 20)])
def test_a_quota_is_a_number_or_unlimited(
    monkeypatch: pytest.MonkeyPatch, value: str | None, limit: int | None
) -> None:
    if value is not None:
        monkeypatch.setenv("EKIDEN_CLIENT_SESSIONS", value)
    assert read_settings(GatewaySettings).client_sessions == limit
