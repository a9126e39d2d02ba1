"""What every service needs and is: resources, images, placement, budgets, updates."""

import re

import pytest

from tests.unit.kubernetes.manifests import (
    BASE,
    DATA,
    LOCAL,
    PRODUCTION,
    REPOSITORY,
    SERVICES,
    Manifest,
    container,
    every,
    labels,
    named,
    pod,
    selects,
)

OVERLAYS = pytest.mark.parametrize("folder", [BASE, LOCAL, PRODUCTION])


@OVERLAYS
def test_an_overlay_has_the_services_and_only_the_local_one_the_simulator(folder: str) -> None:
    names = [one["metadata"]["name"] for one in every("Deployment", folder)]

    assert sorted(names) == sorted([*SERVICES, "simulator"] if folder == LOCAL else SERVICES)


# ── resources, images, placement ─────────────────────────────────────────────────────────────────────────────


def test_memory_is_limited_and_the_processor_is_not(workload: Manifest) -> None:
    """A throttled process renews its leases late: what it may not use up is memory."""
    resources = container(workload)["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}
    assert _mebibytes(resources["limits"]["memory"]) >= 2 * _mebibytes(resources["requests"]["memory"])


def test_a_search_worker_may_hold_what_a_thousand_searches_take() -> None:
    limits = container(named("Deployment", "perplexity-worker", PRODUCTION))["resources"]["limits"]

    assert _mebibytes(limits["memory"]) > 256  # issue 4: 1,000 searches in at most 256 MiB


def _mebibytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def test_production_runs_one_version_of_our_images_by_its_number() -> None:
    tags: set[str] = set()
    for workload in every("Deployment", PRODUCTION):
        name, tag = container(workload)["image"].rsplit(":", 1)
        assert name.endswith(f"/ekiden/{workload['metadata']['name']}")
        tags.add(tag)
    (version,) = tags

    assert re.fullmatch(r"\d+\.\d+\.\d+", version)


@pytest.mark.parametrize("folder", [LOCAL, PRODUCTION, DATA])
def test_no_image_is_whatever_is_latest(folder: str) -> None:
    workloads = [*every("Deployment", folder), *every("StatefulSet", folder)]
    images = [container(one)["image"] for one in workloads]
    images += [one["spec"]["image"] for one in every("RabbitmqCluster", folder)]

    assert images
    for image in images:
        assert ":" in image.rsplit("/", 1)[-1], image
        assert not image.endswith(":latest"), image


def test_broker_and_database_are_of_the_versions_that_compose_has_in_production() -> None:
    pinned = dict(
        line.split("=", 1)
        for line in (REPOSITORY / "deploy" / "images.env").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    local = {container(one)["image"] for one in every("StatefulSet", LOCAL)}

    assert local == {pinned["RABBITMQ_IMAGE"], pinned["MONGODB_IMAGE"]}
    assert named("RabbitmqCluster", "rabbitmq", DATA)["spec"]["image"] == pinned["RABBITMQ_IMAGE"]
    assert f"mongo:{named('MongoDBCommunity', 'mongodb', DATA)['spec']['version']}" == pinned["MONGODB_IMAGE"]


def test_pods_of_one_service_are_spread_over_zones_and_nodes(workload: Manifest) -> None:
    constraints = pod(workload)["topologySpreadConstraints"]

    assert {one["topologyKey"] for one in constraints} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for constraint in constraints:
        assert selects(constraint["labelSelector"], labels(workload))
        assert {"app.kubernetes.io/name", "pod-template-hash"} <= set(constraint["matchLabelKeys"])


# ── who finds whom ───────────────────────────────────────────────────────────────────────────────────────────


@OVERLAYS
def test_a_workload_selects_its_own_pods_and_no_others(folder: str) -> None:
    workloads = every("Deployment", folder)
    for workload in workloads:
        assert [one for one in workloads if selects(workload["spec"]["selector"], labels(one))] == [workload]


@OVERLAYS
def test_every_service_has_a_disruption_budget_of_one_pod_for_itself(folder: str) -> None:
    budgets = {one["metadata"]["name"]: one["spec"] for one in every("PodDisruptionBudget", folder)}
    assert set(budgets) == set(SERVICES)

    for name, budget in budgets.items():
        selected = [one for one in every("Deployment", folder) if selects(budget["selector"], labels(one))]
        assert [one["metadata"]["name"] for one in selected] == [name]
        assert budget["maxUnavailable"] == 1  # minAvailable would hold up every drain where one replica runs
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"  # nor does an outage of the broker


@pytest.mark.parametrize("folder", [LOCAL, PRODUCTION])
def test_every_service_address_leads_to_the_pods_of_its_name(folder: str) -> None:
    workloads = [*every("Deployment", folder), *every("StatefulSet", folder)]
    for service in every("Service", folder):
        (selected,) = (one for one in workloads if selects({"matchLabels": service["spec"]["selector"]}, labels(one)))
        assert selected["metadata"]["name"] == service["metadata"]["name"]
        assert selected["metadata"]["namespace"] == service["metadata"]["namespace"]
        offered = {one["name"] for one in container(selected)["ports"]}
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= offered


# ── updates ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_adds_a_pod_before_it_takes_one_away(workload: Manifest) -> None:
    assert workload["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_production_has_two_of_what_nobody_scales_and_leaves_the_workers_to_keda() -> None:
    replicas = {one["metadata"]["name"]: one["spec"].get("replicas") for one in every("Deployment", PRODUCTION)}

    assert replicas == {"gateway": 2, "orchestrator": 2, "gpt-worker": None, "perplexity-worker": None}


def test_a_laptop_has_one_of_everything() -> None:
    workloads = [*every("Deployment", LOCAL), *every("StatefulSet", LOCAL)]

    assert {one["spec"]["replicas"] for one in workloads} == {1}
