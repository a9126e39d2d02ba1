"""The Compose stack as a file, and the command that is put before it: settings, providers, money."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from ekiden.broker.consumer import STOP_SECONDS
from ekiden.settings import ServiceSettings
from ekiden_gateway.settings import GatewaySettings
from ekiden_gpt_worker.settings import GptWorkerSettings
from ekiden_native import compose
from ekiden_native.providers import choose_providers
from ekiden_orchestrator.settings import OrchestratorSettings
from ekiden_perplexity_worker.settings import PerplexityWorkerSettings

ROOT = Path(__file__).parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
KINDS: tuple[type[ServiceSettings], ...] = (
    GatewaySettings,
    OrchestratorSettings,
    GptWorkerSettings,
    PerplexityWorkerSettings,
)
CLOSING_SECONDS = 5.0
"""For connections and loops, after the calls."""
NEEDS_A_MOUNT = {"EKIDEN_WORKFLOWS_DIR"}
OPENAI, PERPLEXITY = {"OPENAI_API_KEY": "sk-real"}, {"PERPLEXITY_API_KEY": "pplx-real"}


def told(service: str) -> set[str]:
    """The variables a container is given, by docker-compose.yml or the file of its provider."""
    provider = service.removesuffix("-worker").replace("gpt", "openai")
    files = (ROOT / "deploy/compose").glob(f"{provider}*.env")
    lines = "".join(file.read_text(encoding="utf-8") for file in files)
    return {*STACK["services"][service]["environment"], *re.findall(r"^([A-Z_]+)", lines, re.MULTILINE)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.service)
def test_every_setting_of_a_service_reaches_its_container(kind: type[ServiceSettings]) -> None:
    aliases = {name: field.validation_alias for name, field in kind.model_fields.items()}
    read = {
        str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"EKIDEN_{name.upper()}"
        for name, alias in aliases.items()
    }

    assert read - told(kind.service) - NEEDS_A_MOUNT == set()


def test_a_worker_learns_only_the_key_of_its_own_provider() -> None:
    assert not {name for name in told("gpt-worker") if name.startswith("PERPLEXITY_")}
    assert not {name for name in told("perplexity-worker") if name.startswith("OPENAI_")}


def grace(service: str) -> float:
    """Seconds a worker gives its calls after SIGTERM, unless somebody asks for others."""
    asked = STACK["services"][service]["environment"]["EKIDEN_GRACE_SECONDS"]
    return float(re.sub(r"\$\{EKIDEN_GRACE_SECONDS:-(\d+)\}", r"\1", asked))


@pytest.mark.parametrize("service", ["gpt-worker", "perplexity-worker"])
def test_a_worker_s_own_grace_ends_before_docker_kills_it(service: str) -> None:
    given = float(STACK["services"][service]["stop_grace_period"].removesuffix("s"))

    assert given >= STOP_SECONDS + grace(service) + CLOSING_SECONDS


def test_the_longest_gpt_call_may_end() -> None:
    deadline = GptWorkerSettings.model_fields["gpt_deadline_seconds"].default

    assert grace("gpt-worker") >= deadline + CLOSING_SECONDS


def test_every_port_is_published_on_loopback_only() -> None:
    published = [port for service in STACK["services"].values() for port in service.get("ports", ())]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_an_image_s_version_can_be_pinned_and_is_in_images_env() -> None:
    variables = {
        name
        for file in (ROOT / "docker-compose.yml", *(ROOT / "deploy/compose").glob("*.yml"))
        for name in re.findall(r"\$\{([A-Z]+_IMAGE):-", file.read_text(encoding="utf-8"))
    }
    lines = (ROOT / "deploy/images.env").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^(\w+)=\S+?:(\S+)$", lines, re.MULTILINE))

    assert set(pins) == variables
    assert [name for name, tag in pins.items() if not re.search(r"\d+\.\d+\.\d+", tag)] == []


def test_simulated_providers_are_no_keys_to_compose_whatever_env_files_say() -> None:
    providers = choose_providers({}, simulate=False)

    assert compose.variables(providers) == {"OPENAI_API_KEY": "", "PERPLEXITY_API_KEY": ""}
    assert compose.profile(providers) == ()


def test_real_keys_are_passed_on_as_they_are() -> None:
    providers = choose_providers(OPENAI | PERPLEXITY, simulate=False)

    assert compose.variables(providers) == {}
    assert compose.profile(providers) == ()


def test_a_mixture_that_is_allowed_brings_the_simulator_for_the_other() -> None:
    providers = choose_providers(OPENAI | {"EKIDEN_MIX_SIMULATOR": "on"}, simulate=False)

    assert compose.profile(providers) == ("--profile", "simulator")
    assert compose.variables(providers) == {
        "PERPLEXITY_API_KEY": "simulator",
        "PERPLEXITY_BASE_URL": "http://simulator:8090",
        "EKIDEN_PERPLEXITY_RATE_PER_MINUTE": "unlimited",
    }


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that only writes down what it was asked."""
    said = tmp_path / "said"
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@ key=$OPENAI_API_KEY" >> {said}\n')
    program.chmod(0o755)
    for name in [name for name in os.environ if name.startswith(("EKIDEN_", "OPENAI_", "PERPLEXITY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return said


def test_with_one_key_of_two_nothing_is_started(
    docker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")

    assert compose.main(["up", "--wait"]) == 1
    assert "EKIDEN_MIX_SIMULATOR=on" in capsys.readouterr().err
    assert not docker.exists()


def test_with_one_key_of_two_a_stack_can_still_be_taken_down(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")

    assert compose.main(["down"]) == 0
    assert docker.read_text() == "compose down key=\n"


def test_what_is_real_is_said_before_and_the_addresses_after(
    docker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_PORT", "8123")

    assert compose.main(["up", "--detach"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert docker.read_text() == "compose up --detach key=\n"
    assert lines[0] == "OpenAI is simulated. Perplexity is simulated."
    assert "Gateway    http://127.0.0.1:8123" in lines
