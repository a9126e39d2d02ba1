"""What the command line decided and the supervisor carries out: handed over once, as JSON on its standard input.

Standard input, because the settings may hold API keys, which belong neither in a file nor in a list of processes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from ekiden_native.mongod import Mongod
from ekiden_native.ports import LOOPBACK
from ekiden_native.program import Program
from ekiden_native.prometheus import Prometheus
from ekiden_native.providers import Providers
from ekiden_native.rabbitmq import RabbitMQ
from ekiden_native.state_dir import StateDir

# What is said to the stack and not to its services, which refuse EKIDEN_* variables that they do not know.
_FOR_THE_STACK = frozenset(
    {
        "EKIDEN_AMQP_PORT",
        "EKIDEN_GATEWAY_URL",
        "EKIDEN_METRICS_TARGETS",
        "EKIDEN_MONGODB_PORT",
        "EKIDEN_PROMETHEUS_PORT",
        "EKIDEN_PROMETHEUS_URL",
        "EKIDEN_SIMULATOR_PORT",
        "EKIDEN_SIMULATOR_URL",
        "EKIDEN_STATE_DIR",
    }
)


@dataclass(frozen=True)
class Plan:
    """One stack: where, from which programs, on which ports, with which settings for its services."""

    root: str
    rabbitmq_server: str
    epmd: str
    mongod_server: str
    ports: Mapping[str, int]
    programs: Mapping[str, Program]
    counts: Mapping[str, int]
    settings: Mapping[str, str]
    providers: Providers
    prometheus_server: str | None = None

    @property
    def state(self) -> StateDir:
        return StateDir(Path(self.root))

    @property
    def rabbitmq(self) -> RabbitMQ:
        return RabbitMQ(
            state=self.state,
            server=Path(self.rabbitmq_server),
            epmd=Path(self.epmd),
            port=self.ports["rabbitmq"],
            distribution_port=self.ports["distribution"],
            epmd_port=self.ports["epmd"],
            metrics_port=self.ports["rabbitmq-metrics"] if self.prometheus_server else None,
        )

    @property
    def mongod(self) -> Mongod:
        return Mongod(state=self.state, server=Path(self.mongod_server), port=self.ports["mongod"])

    @property
    def prometheus(self) -> Prometheus | None:
        server = self.prometheus_server
        return Prometheus(self.state, Path(server), self.ports["prometheus"]) if server else None

    @property
    def simulator_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['simulator']}"

    def addresses(self, metrics: Mapping[str, int]) -> dict[str, str]:
        """Return the contents of stack.env; `metrics` names the port of each process that has one of its own."""
        simulated = self.providers.environment(self.simulator_url)
        return {
            "EKIDEN_STATE_DIR": self.root,
            "EKIDEN_AMQP_URL": self.rabbitmq.url,
            "EKIDEN_MONGODB_URL": self.mongod.url,
            "EKIDEN_MONGODB_DATABASE": self.settings.get("EKIDEN_MONGODB_DATABASE", "ekiden"),
            "EKIDEN_GATEWAY_HOST": self.settings.get("EKIDEN_GATEWAY_HOST", LOOPBACK),
            "EKIDEN_GATEWAY_PORT": str(self.ports["gateway"]),
            "EKIDEN_GATEWAY_URL": f"http://{LOOPBACK}:{self.ports['gateway']}",
            **({"EKIDEN_SIMULATOR_URL": self.simulator_url} if simulated else {}),
            **({"EKIDEN_PROMETHEUS_URL": self.prometheus.url} if self.prometheus else {}),
            **{name: url for name, url in simulated.items() if name.endswith("_BASE_URL")},
            "EKIDEN_METRICS_TARGETS": " ".join(f"{name}={LOOPBACK}:{port}" for name, port in metrics.items()),
        }

    def service_environment(self, machine: Mapping[str, str]) -> dict[str, str]:
        """Return what every service is started with; its own port is added by whoever starts it."""
        variables = {
            **machine,
            **self.providers.defaults,
            **self.settings,
            **self.addresses({}),
            **self.providers.environment(self.simulator_url),
            "PYTHONUNBUFFERED": "1",
        }
        return {name: value for name, value in variables.items() if name not in _FOR_THE_STACK}

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields: dict[str, Any] = json.loads(text)
        programs: dict[str, dict[str, Any]] = fields["programs"]
        for program in programs.values():
            program["command"] = tuple(program["command"])
        fields["programs"] = {name: Program(**program) for name, program in programs.items()}
        fields["providers"] = Providers(**fields["providers"])
        return cls(**fields)
