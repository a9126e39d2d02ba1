"""The network policies allow the pairs of DESIGN 2's picture, and no others."""

import os
from itertools import product
from pathlib import Path

import pytest

from tests.unit.kubernetes.manifests import (
    DATA,
    KUBERNETES,
    LOCAL,
    PRODUCTION,
    SERVICES,
    Manifest,
    container,
    every,
    kustomized,
    labels,
    named,
    rendered,
)
from tests.unit.kubernetes.network import End, Policies

WORKERS = ("gpt-worker", "perplexity-worker")
PORTS = (53, 80, 443, 4318, 5672, 8000, 8090, 9000, 9090, 15672, 15692, 27017)
Way = tuple[str, str, int]


def elsewhere(name: str, namespace: str, these: dict[str, str], **more: str) -> End:
    return End(name, namespace, these, {"kubernetes.io/metadata.name": namespace, **more})


OTHERS = (
    elsewhere("dns", "kube-system", {"k8s-app": "kube-dns"}),
    elsewhere("kube-proxy", "kube-system", {"k8s-app": "kube-proxy"}),
    elsewhere("prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
    elsewhere("grafana", "monitoring", {"app.kubernetes.io/name": "grafana"}),
    elsewhere("collector", "monitoring", {"app.kubernetes.io/name": "opentelemetry-collector"}),
    elsewhere("ingress", "ingress-nginx", {}, **{"ekiden-entrance": "true"}),
    elsewhere("stranger", "default", {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/part-of": "ekiden"}),
    End("provider", address="203.0.113.7"),
    End("provider by IPv6", address="2001:db8::7"),
    End("metadata", address="169.254.169.254"),
    End("kubernetes api", address="10.96.0.1"),
    End("kubernetes api by IPv6", address="fd00::1"),
)
_DATA = {"kubernetes.io/metadata.name": "ekiden-data"}
OPERATED = (
    End(
        "rabbitmq",
        "ekiden-data",
        {"app.kubernetes.io/name": "rabbitmq"},
        _DATA,
        ports={"amqp": 5672, "management": 15672, "prometheus": 15692},
    ),
    End("mongodb", "ekiden-data", {"app": "mongodb-svc"}, _DATA, ports={"mongodb": 27017}),
)
"""The pods that the operators make, with their labels and ports; on a laptop the folder has its own."""


def pods(manifests: tuple[Manifest, ...]) -> list[End]:
    found: list[End] = []
    for one in manifests:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            metadata = one["metadata"]
            ports = {port["name"]: port["containerPort"] for port in container(one)["ports"]}
            namespaced = {"kubernetes.io/metadata.name": metadata["namespace"]}
            found.append(End(metadata["name"], metadata["namespace"], labels(one), namespaced, ports=ports))
    return found


def ways(manifests: tuple[Manifest, ...], others: tuple[End, ...]) -> set[Way]:
    """Every connection that is possible, begins or ends in one of our namespaces, and finds somebody listening.

    Not within ekiden-data, nor from there out of it: those pods are their operators'.
    """
    ends = [*pods(manifests), *others]
    policies = Policies(tuple(one for one in manifests if one["kind"] == "NetworkPolicy"))
    return {
        (source.name, target.name, port)
        for source, target, port in product(ends, ends, PORTS)
        if source.name != target.name
        and (not target.ports or port in target.ports.values())
        and (source.namespace == "ekiden" or target.namespace in {"ekiden", "ekiden-data"})
        and not source.namespace == target.namespace == "ekiden-data"
        and policies.allow(source, target, port)
    }


EVERYWHERE: set[Way] = {
    *((service, "rabbitmq", 5672) for service in SERVICES),
    *((service, "mongodb", 27017) for service in SERVICES),
    *((service, "dns", 53) for service in SERVICES),
    ("ingress", "gateway", 8000),
}
"""The picture, with its users, and the names of what it draws."""


def test_a_laptops_workers_reach_the_simulator_and_nothing_outside() -> None:
    simulated = {("simulator", "dns", 53), *((worker, "simulator", 8090) for worker in WORKERS)}

    assert ways(rendered(LOCAL), OTHERS) == EVERYWHERE | simulated


def production() -> set[Way]:
    metrics = {"gateway": 8000, "rabbitmq": 15692} | dict.fromkeys(set(SERVICES) - {"gateway"}, 9000)
    providers = [one.name for one in OTHERS if one.name.startswith("provider")]  # and receivers of webhooks
    return EVERYWHERE | {
        *(("prometheus", name, port) for name, port in metrics.items()),
        *((worker, provider, 443) for worker in (*WORKERS, "orchestrator") for provider in providers),
    }


def test_production_allows_the_picture_its_providers_and_prometheus() -> None:
    assert ways(rendered(PRODUCTION) + rendered(DATA), OPERATED + OTHERS) == production()


def test_names_are_asked_for_by_udp_too() -> None:
    dns = OTHERS[0]
    policies = Policies(tuple(every("NetworkPolicy", PRODUCTION)))

    assert all(policies.allow(one, dns, 53, "UDP") for one in pods(rendered(PRODUCTION)))


def test_the_nodes_of_the_broker_and_the_database_reach_their_peers() -> None:
    policies = Policies(tuple(every("NetworkPolicy", DATA)))
    node = OPERATED[0]

    assert policies.allow(node, node, 25672)


def test_with_traces_every_service_knows_the_collector_and_reaches_it(tmp_path: Path) -> None:
    folder = Path(os.path.relpath(KUBERNETES, tmp_path.resolve()))
    overlay = f"resources: [{folder / PRODUCTION}]\ncomponents: [{folder / 'traces'}]\n"
    (tmp_path / "kustomization.yaml").write_text(overlay, encoding="utf-8")
    traced = kustomized(tmp_path.resolve())
    (settings,) = (one["data"] for one in traced if one["kind"] == "ConfigMap")

    assert settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector.monitoring.svc:4318"
    assert set(named("ConfigMap", "ekiden-settings", PRODUCTION)["data"]) < set(settings)
    collected = {(service, end, 4318) for service in SERVICES for end in ("prometheus", "grafana", "collector")}
    assert ways(traced + rendered(DATA), OPERATED + OTHERS) == production() | collected


@pytest.mark.parametrize("folder", [LOCAL, PRODUCTION])
def test_each_namespace_begins_with_nothing(folder: str) -> None:
    manifests = rendered(folder) + rendered(DATA)
    denying = {
        one["metadata"]["namespace"]: set(one["spec"]["policyTypes"])
        for one in manifests
        if one["kind"] == "NetworkPolicy"
        and one["spec"] == {"podSelector": {}, "policyTypes": one["spec"]["policyTypes"]}
    }

    assert denying == {"ekiden": {"Ingress", "Egress"}, "ekiden-data": {"Ingress"}}
