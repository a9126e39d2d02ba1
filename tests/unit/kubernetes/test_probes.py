"""What Kubernetes asks a service, how long it waits, and what it does with the answer."""

from typing import Any

from ekiden.process import READY_SECONDS, Health
from ekiden_gateway.routes import health
from ekiden_simulator.control import control_routes
from ekiden_simulator.settings import Settings
from ekiden_simulator.world import World
from tests.unit.kubernetes.manifests import (
    BASE,
    SERVICES,
    Manifest,
    container,
    named,
)

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def answered(workload: Manifest) -> set[str]:
    """The paths a service answers, asked of its own code."""
    match workload["metadata"]["name"]:
        case "gateway":
            routes: list[Any] = list(health.router.routes)
        case "simulator":
            routes = list(control_routes(World(Settings())).routes)
        case name:
            return set(Health(Never(), name)._routes)
    return {route.path for route in routes}


class Never:
    """Implements `process.Service`; nothing is asked of it here."""

    async def start(self) -> None: ...

    async def ready(self) -> list[str]:
        return []

    async def stop(self) -> None: ...


def test_every_probe_asks_for_what_the_service_answers(workload: Manifest) -> None:
    ports = {one["name"] for one in container(workload)["ports"]}
    for probe in PROBES:
        asked = container(workload)[probe]["httpGet"]
        assert asked["path"] in answered(workload)
        assert asked["port"] in ports


def test_alive_is_asked_of_the_process_alone(workload: Manifest) -> None:
    """Broker or database away: a restart would help nobody, and cut off calls that are paid for."""
    assert container(workload)["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_workers_and_orchestrators_are_ready_when_broker_and_database_work() -> None:
    for name in set(SERVICES) - {"gateway"}:
        assert container(named("Deployment", name, BASE))["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_gateways_stay_in_their_service_without_a_broker_and_begin_only_with_one() -> None:
    """INTERFACE: broker away 2xx, database away 503. Unready gateways would answer nothing at all."""
    gateway = container(named("Deployment", "gateway", BASE))

    assert gateway["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert gateway["startupProbe"]["httpGet"]["path"] == "/readyz"


def test_a_probe_waits_longer_than_the_answer_may_take(workload: Manifest) -> None:
    for probe in PROBES:
        if container(workload)[probe]["httpGet"]["path"] == "/readyz":
            assert container(workload)[probe]["timeoutSeconds"] > READY_SECONDS
