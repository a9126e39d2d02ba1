"""What kubectl renders is what the API server takes."""

from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.unit.kubernetes.custom_resources import SCHEMAS
from tests.unit.kubernetes.manifests import DATA, LOCAL, PRODUCTION, Manifest, every, rendered

OLDEST, NEWEST = "1.31.0", "1.37.0"
"""What README promises, and the newest that kubernetes-validate knows."""
APPLIED = (LOCAL, PRODUCTION, DATA)


def identity(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def check(manifest: Manifest, version: str) -> None:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{identity(manifest)} {'.'.join(map(str, error.path))}: {error.message}")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("folder", APPLIED)
def test_every_manifest_is_what_kubernetes_takes(folder: str, version: str) -> None:
    ours = [one for one in rendered(folder) if (one["apiVersion"], one["kind"]) not in SCHEMAS]
    assert ours
    for manifest in ours:
        check(manifest, version)


@pytest.mark.parametrize("folder", APPLIED)
def test_every_custom_resource_says_what_its_operator_documents(folder: str) -> None:
    for manifest in rendered(folder):
        if schema := SCHEMAS.get((manifest["apiVersion"], manifest["kind"])):
            jsonschema.validate(manifest, schema)


def test_every_custom_resource_is_used() -> None:
    used = {(one["apiVersion"], one["kind"]) for folder in APPLIED for one in rendered(folder)}

    assert set(SCHEMAS) <= used


def test_kubernetes_own_types_inside_of_custom_resources_are_right_too() -> None:
    for manifest in embedded():
        check(manifest, OLDEST)


def embedded() -> list[Manifest]:
    """The parts that operators pass on, each in a manifest of the kind that it ends up in."""
    (rabbitmq,), (mongodb,) = every("RabbitmqCluster", DATA), every("MongoDBCommunity", DATA)
    broker = {"name": "rabbitmq", "image": "rabbitmq", "resources": rabbitmq["spec"]["resources"]}
    database = mongodb["spec"]["statefulSet"]["spec"]
    pod = {"spec": {"affinity": rabbitmq["spec"]["affinity"], "containers": [broker]}}
    behaviors = [
        one["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        for one in every("ScaledObject", PRODUCTION)
    ]
    assert len(behaviors) == 2
    return [
        _manifest("v1", "Pod", pod["spec"]),
        _manifest("v1", "Pod", database["template"]["spec"]),
        *(_manifest("v1", "PersistentVolumeClaim", claim["spec"]) for claim in database["volumeClaimTemplates"]),
        *(_autoscaler(behavior) for behavior in behaviors),
    ]


def _manifest(version: str, kind: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "embedded"}, "spec": spec}


def _autoscaler(behavior: dict[str, Any]) -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"}
    return _manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {"scaleTargetRef": target, "maxReplicas": 1, "behavior": behavior},
    )


@pytest.mark.parametrize("folder", APPLIED)
def test_no_manifest_stands_twice_in_a_folder(folder: str) -> None:
    found = [identity(manifest) for manifest in rendered(folder)]

    assert len(found) == len(set(found))
