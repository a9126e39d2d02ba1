"""What the manifests tell a service is what the service reads, and how long they let it end."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import AliasChoices

from ekiden.broker.consumer import STOP_SECONDS
from ekiden.settings import ServiceSettings, read_settings
from ekiden_gateway.app import GRACE_SECONDS
from ekiden_gateway.settings import GatewaySettings
from ekiden_gpt_worker.settings import GptWorkerSettings
from ekiden_orchestrator.settings import OrchestratorSettings
from ekiden_perplexity_worker.perplexity_agent import SUBMIT_SECONDS
from ekiden_perplexity_worker.settings import PerplexityWorkerSettings
from ekiden_simulator.settings import Settings as SimulatorSettings
from ekiden_simulator.settings import read_settings as read_simulator_settings
from tests.unit.kubernetes.manifests import (
    BASE,
    KUBERNETES,
    LOCAL,
    PRODUCTION,
    container,
    environment,
    every,
    named,
    own_environment,
    pod,
    port,
    rendered,
)

KINDS: dict[str, type[ServiceSettings]] = {
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "gpt-worker": GptWorkerSettings,
    "perplexity-worker": PerplexityWorkerSettings,
}
OURS = ("EKIDEN_", "OPENAI_", "PERPLEXITY_", "OTEL_")
CLOSING_SECONDS = 5.0
"""Connections to RabbitMQ and MongoDB, and a last log line."""
FAILOVER_SECONDS = 15.0
"""INTERFACE: work goes on that soon after a new primary answers."""
OVERLAYS = pytest.mark.parametrize("folder", [BASE, LOCAL, PRODUCTION])
Told = Callable[[str, str], Any]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The settings of a service as it would read them in its pod."""

    def read(folder: str, name: str) -> Any:
        _forget(monkeypatch)
        for variable, value in environment(folder, named("Deployment", name, folder)).items():
            monkeypatch.setenv(variable, value)
        return read_simulator_settings() if name == "simulator" else read_settings(KINDS[name])

    return read


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(variable)


def read_by(kind: type[ServiceSettings]) -> set[str]:
    """The variables a service reads."""
    names: set[str] = set()
    for field, description in kind.model_fields.items():
        alias = description.validation_alias
        names |= {str(one) for one in alias.choices} if isinstance(alias, AliasChoices) else {f"EKIDEN_{field.upper()}"}
    return names


SIMULATOR_READS = {f"EKIDEN_SIMULATOR_{field.upper()}" for field in SimulatorSettings.model_fields}


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────


@OVERLAYS
def test_every_service_accepts_what_it_is_told(folder: str, told: Told) -> None:
    for workload in every("Deployment", folder):
        told(folder, workload["metadata"]["name"])


@OVERLAYS
def test_a_service_reads_every_variable_that_is_meant_for_it(folder: str) -> None:
    for workload in every("Deployment", folder):
        kind = KINDS.get(workload["metadata"]["name"])
        assert set(own_environment(workload)) <= (read_by(kind) if kind else SIMULATOR_READS)


@OVERLAYS
def test_some_service_reads_every_variable_that_is_told_to_all(folder: str) -> None:
    read = {name for kind in KINDS.values() for name in read_by(kind)}

    assert set(named("ConfigMap", "ekiden-settings", folder)["data"]) <= read


@OVERLAYS
def test_a_service_listens_where_its_port_is_declared(folder: str, told: Told) -> None:
    for workload in every("Deployment", folder):
        name = workload["metadata"]["name"]
        settings = told(folder, name)
        if name == "gateway":
            address = settings.gateway_host, settings.gateway_port
        elif name == "simulator":
            address = settings.host, settings.port
        else:
            address = settings.metrics_host, settings.metrics_port
        assert address == ("0.0.0.0", port(workload, "http"))


def test_production_asks_for_keys_and_a_laptop_does_not(told: Told) -> None:
    assert not told(PRODUCTION, "gateway").keyring.is_open
    assert told(LOCAL, "gateway").keyring.is_open


def test_a_laptop_asks_the_simulator_and_production_the_providers(told: Told) -> None:
    assert told(LOCAL, "gpt-worker").base_url == "http://simulator:8090/v1"
    assert told(LOCAL, "perplexity-worker").base_url == "http://simulator:8090"
    assert told(PRODUCTION, "gpt-worker").base_url == "https://api.openai.com/v1"
    assert told(PRODUCTION, "perplexity-worker").base_url == "https://api.perplexity.ai"


def test_a_key_is_known_to_the_one_service_that_needs_it() -> None:
    knows = {
        workload["metadata"]["name"]: {
            value["secretKeyRef"]["key"] for value in own_environment(workload).values() if isinstance(value, dict)
        }
        for workload in every("Deployment", PRODUCTION)
    }
    connections = {"EKIDEN_AMQP_URL", "EKIDEN_MONGODB_URL"}

    assert knows == {
        "gateway": connections | {"EKIDEN_API_KEYS"},
        "orchestrator": connections,
        "gpt-worker": connections | {"OPENAI_API_KEY"},
        "perplexity-worker": connections | {"PERPLEXITY_API_KEY"},
    }


@pytest.mark.parametrize("folder", [BASE, PRODUCTION])
def test_no_secret_stands_in_what_production_is_made_of(folder: str) -> None:
    assert [one["kind"] for one in rendered(folder) if one["kind"] == "Secret"] == []


def test_readme_makes_every_secret_that_production_reads() -> None:
    readme = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    commands = readme.replace("\\\n", " ").splitlines()
    for workload in every("Deployment", PRODUCTION):
        for value in own_environment(workload).values():
            if isinstance(value, dict):
                reference = value["secretKeyRef"]
                made = [one for one in commands if f"create secret generic {reference['name']} " in one]
                assert len(made) == 1, reference
                assert f"={reference['key']}=" in made[0], reference


# ── how long a pod has to end ────────────────────────────────────────────────────────────────────────────────


@OVERLAYS
@pytest.mark.parametrize("name", ["gpt-worker", "perplexity-worker"])
def test_a_workers_own_grace_ends_before_kubernetes_kills_it(folder: str, name: str, told: Told) -> None:
    given = pod(named("Deployment", name, folder))["terminationGracePeriodSeconds"]

    assert given >= STOP_SECONDS + told(folder, name).grace_seconds + CLOSING_SECONDS


@OVERLAYS
def test_the_longest_gpt_call_may_end(folder: str, told: Told) -> None:
    settings = told(folder, "gpt-worker")

    assert settings.grace_seconds >= settings.gpt_deadline_seconds + CLOSING_SECONDS


@OVERLAYS
def test_a_search_that_was_just_sent_gets_its_run_id_and_the_database_to_note_it(folder: str, told: Told) -> None:
    assert told(folder, "perplexity-worker").grace_seconds >= SUBMIT_SECONDS + FAILOVER_SECONDS


@OVERLAYS
def test_an_orchestrators_handlers_may_end(folder: str) -> None:
    given = pod(named("Deployment", "orchestrator", folder))["terminationGracePeriodSeconds"]

    assert given >= STOP_SECONDS + CLOSING_SECONDS


@OVERLAYS
def test_a_gateway_answers_until_it_is_forgotten_and_then_ends_its_requests(folder: str) -> None:
    gateway = named("Deployment", "gateway", folder)
    forgotten = container(gateway)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert forgotten >= 5
    assert pod(gateway)["terminationGracePeriodSeconds"] >= forgotten + GRACE_SECONDS + CLOSING_SECONDS


@OVERLAYS
def test_only_the_gateway_is_called_by_others_and_needs_a_prestop(folder: str) -> None:
    assert [one["metadata"]["name"] for one in every("Deployment", folder) if "lifecycle" in container(one)] == [
        "gateway"
    ]
