"""What a pod of ours may do: the restricted Pod Security Standard, and less."""

import re

import pytest

from tests.unit.kubernetes.manifests import (
    BASE,
    DATA,
    LOCAL,
    PRODUCTION,
    REPOSITORY,
    Manifest,
    container,
    named,
    pod,
    rendered,
)


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    labels = named("Namespace", "ekiden", PRODUCTION)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_namespace_of_the_data_refuses_privileged_pods() -> None:
    labels = named("Namespace", "ekiden-data", DATA)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_a_pod_passes_the_restricted_standard(workload: Manifest) -> None:
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod(workload))
    assert pod(workload)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(workload)["securityContext"]["runAsNonRoot"] is True
    assert container(workload)["securityContext"]["allowPrivilegeEscalation"] is False
    assert container(workload)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert all("hostPort" not in one for one in container(workload)["ports"])
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod(workload)["volumes"])


def test_a_pod_runs_as_the_images_user_and_writes_to_tmp_alone(workload: Manifest) -> None:
    (user, group), *others = re.findall(
        r"^USER (\d+):(\d+)$", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert not others
    assert pod(workload)["securityContext"]["runAsUser"] == int(user)
    assert pod(workload)["securityContext"]["runAsGroup"] == int(group)
    assert container(workload)["securityContext"]["readOnlyRootFilesystem"] is True
    assert container(workload)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]


def test_a_pod_has_no_token_of_the_kubernetes_api(workload: Manifest) -> None:
    assert pod(workload)["serviceAccountName"] == "ekiden"
    assert pod(workload)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("folder", [BASE, LOCAL, PRODUCTION])
def test_our_account_has_no_role(folder: str) -> None:
    assert named("ServiceAccount", "ekiden", folder)["automountServiceAccountToken"] is False
    assert not [one["kind"] for one in rendered(folder) if one["kind"].endswith(("Role", "RoleBinding"))]


def test_kubernetes_adds_no_variables_of_its_own(workload: Manifest) -> None:
    """A Service named `ekiden-…` would else set `EKIDEN_…_PORT`, and a service refuses what it does not know."""
    assert pod(workload)["enableServiceLinks"] is False
