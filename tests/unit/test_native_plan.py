"""What the stack tells its services, and what it keeps to itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from ekiden_native.plan import Plan
from ekiden_native.program import PROGRAMS
from ekiden_native.providers import choose_providers
from ekiden_native.stack import Stack

SIMULATED = Plan(
    root="/state",
    rabbitmq_server="/bin/rabbitmq-server",
    epmd="/bin/epmd",
    mongod_server="/bin/mongod",
    ports={
        "gateway": 1,
        "rabbitmq": 2,
        "mongod": 3,
        "simulator": 4,
        "prometheus": 5,
        "distribution": 6,
        "epmd": 7,
        "rabbitmq-metrics": 8,
    },
    programs=PROGRAMS,
    counts={"gateway": 1},
    settings={"EKIDEN_LOG_LEVEL": "debug", "EKIDEN_STATE_DIR": "/elsewhere", "OTEL_SERVICE_NAME": "x"},
    providers=choose_providers({}, simulate=True),
)
REAL_KEYS = {"OPENAI_API_KEY": "sk-real", "PERPLEXITY_API_KEY": "pplx-real"}
REAL = replace(SIMULATED, settings=REAL_KEYS, providers=choose_providers(REAL_KEYS, simulate=False))


def test_a_plan_survives_the_way_to_the_supervisor() -> None:
    assert Plan.from_json(SIMULATED.to_json()) == SIMULATED
    assert Plan.from_json(REAL.to_json()) == REAL


def test_settings_of_the_caller_reach_the_services() -> None:
    environment = SIMULATED.service_environment({"PATH": "/bin"})

    assert environment["EKIDEN_LOG_LEVEL"] == "debug"
    assert environment["OTEL_SERVICE_NAME"] == "x"
    assert environment["PATH"] == "/bin"


def test_variables_for_the_stack_alone_do_not_reach_the_services() -> None:
    environment = SIMULATED.service_environment({})

    assert "EKIDEN_STATE_DIR" not in environment
    assert "EKIDEN_SIMULATOR_URL" not in environment


def test_simulated_services_are_sent_to_the_simulator_whatever_keys_the_caller_has() -> None:
    simulated = replace(SIMULATED, settings=REAL_KEYS | {"OPENAI_BASE_URL": "http://gpu.local/v1"})

    environment = simulated.service_environment({})

    assert environment["OPENAI_API_KEY"] == environment["PERPLEXITY_API_KEY"] == "simulator"
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:4/v1"
    assert environment["PERPLEXITY_BASE_URL"] == "http://127.0.0.1:4"


def test_real_keys_reach_the_services_and_not_stack_env() -> None:
    assert REAL.service_environment({})["OPENAI_API_KEY"] == "sk-real"
    assert "real" not in str(REAL.addresses({}))


def test_a_real_stack_tells_of_no_simulator() -> None:
    assert "EKIDEN_SIMULATOR_URL" not in REAL.addresses({})


def test_the_broker_runs_without_the_machines_own_settings() -> None:
    machine = {"RABBITMQ_NODENAME": "rabbit@host", "ERL_FLAGS": "-x", "NOTIFY_SOCKET": "/run/x", "PATH": "/bin"}

    environment = SIMULATED.rabbitmq.environment(machine)

    assert environment["RABBITMQ_NODENAME"].startswith("ekiden-")
    assert environment["PATH"] == "/bin"
    assert not {"ERL_FLAGS", "NOTIFY_SOCKET"} & environment.keys()


def test_nodes_of_different_state_directories_have_different_names() -> None:
    names = {
        replace(SIMULATED, root=root).rabbitmq.environment({})["RABBITMQ_NODENAME"] for root in ("/state", "/other")
    }

    assert len(names) == 2


def test_a_stack_as_a_library_takes_no_setting_from_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")

    assert Stack(tmp_path, simulate=False).providers.simulator_needed
