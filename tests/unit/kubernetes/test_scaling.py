"""KEDA scales by what is outstanding, Prometheus finds what it adds, and the alerts are those of the other stacks."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiden.metrics import TABLE
from tests.unit.kubernetes.manifests import (
    DATA,
    KUBERNETES,
    PRODUCTION,
    REPOSITORY,
    SERVICES,
    Manifest,
    container,
    every,
    labels,
    named,
    selects,
)

CONCURRENCY = {"gpt": "EKIDEN_GPT_CONCURRENCY", "perplexity": "EKIDEN_PERPLEXITY_CONCURRENCY"}
PROVIDERS = pytest.mark.parametrize("provider", CONCURRENCY)


def scaled(provider: str) -> Manifest:
    return named("ScaledObject", f"{provider}-worker", PRODUCTION)["spec"]


def trigger(provider: str) -> dict[str, str]:
    (only,) = scaled(provider)["triggers"]
    return only["metadata"]


# ── the query ────────────────────────────────────────────────────────────────────────────────────────────────


@PROVIDERS
def test_the_query_asks_orchestrators_for_all_states_of_one_provider(provider: str) -> None:
    query = trigger(provider)["query"]
    (name,) = set(re.findall(r"ekiden_\w+", query))
    (metric,) = (one for one in TABLE.metrics if one.name == name)
    asked = dict(re.findall(r'(\w+)=~?"([^"]*)"', query))

    assert metric.services == {"orchestrator"}
    assert asked == {"namespace": "ekiden", "provider": provider, "state": "|".join(metric.labels["state"] or [])}
    assert provider in (metric.labels["provider"] or [])


def series(provider: str, state: str, orchestrator: str, value: int, namespace: str = "ekiden") -> dict[str, str]:
    marks = f'namespace="{namespace}", pod="{orchestrator}", provider="{provider}", state="{state}"'
    return {"series": f"ekiden_tasks_outstanding{{{marks}}}", "values": f"{value}x10"}


@PROVIDERS
def test_prometheus_answers_it_with_queued_and_leased_tasks_whatever_one_orchestrator_missed(
    provider: str, tmp_path: Path
) -> None:
    other = "gpt" if provider == "perplexity" else "perplexity"
    reported = [
        series(provider, "queued", "orchestrator-1", 30),
        series(provider, "queued", "orchestrator-2", 25),
        series(provider, "leased", "orchestrator-1", 190),
        series(provider, "leased", "orchestrator-2", 200),
        series(other, "queued", "orchestrator-1", 1000),
        series(provider, "queued", "orchestrator-1", 5000, namespace="staging"),
    ]
    assert _answer(tmp_path, trigger(provider)["query"], reported, expected=230)


@PROVIDERS
def test_an_empty_queue_leaves_the_workers_that_hold_its_tasks(provider: str, tmp_path: Path) -> None:
    """What scaling by the queue's length does wrong: paid work, and nobody waiting."""
    reported = [series(provider, "queued", "orchestrator-1", 0), series(provider, "leased", "orchestrator-1", 400)]
    assert _answer(tmp_path, trigger(provider)["query"], reported, expected=400)


def _answer(folder: Path, query: str, reported: list[dict[str, str]], *, expected: int) -> bool:
    """Whether a real Prometheus answers with one sample of that value and no label, as KEDA wants it."""
    asked = {"expr": query, "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": expected}]}
    tests = {"tests": [{"interval": "1m", "input_series": reported, "promql_expr_test": [asked]}]}
    file = folder / "query.yml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return True


# ── how many, and how fast ───────────────────────────────────────────────────────────────────────────────────


@PROVIDERS
def test_a_new_worker_comes_before_the_others_are_full(provider: str) -> None:
    concurrency = int(named("ConfigMap", "ekiden-settings", PRODUCTION)["data"][CONCURRENCY[provider]])

    assert 0.5 * concurrency <= float(trigger(provider)["threshold"]) <= 0.8 * concurrency


@PROVIDERS
def test_two_workers_always_run_and_their_number_is_bounded(provider: str) -> None:
    assert scaled(provider)["scaleTargetRef"] == {"name": f"{provider}-worker"}
    assert "replicas" not in named("Deployment", f"{provider}-worker", PRODUCTION)["spec"]
    assert 2 <= scaled(provider)["minReplicaCount"] < scaled(provider)["maxReplicaCount"] <= 10


@PROVIDERS
def test_nobody_is_stopped_because_nobody_measures(provider: str) -> None:
    """KEDA takes an empty answer for 0 unless told otherwise."""
    assert trigger(provider)["ignoreNullValues"] == "false"
    assert scaled(provider)["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert scaled(provider)["fallback"]["replicas"] == scaled(provider)["minReplicaCount"]
    assert scaled(provider)["triggers"][0]["metricType"] == "AverageValue"  # fallback knows no other kind before 2.18


@PROVIDERS
def test_workers_go_one_at_a_time_after_a_time_that_never_needed_them(provider: str) -> None:
    behavior: Any = scaled(provider)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]


# ── Prometheus ───────────────────────────────────────────────────────────────────────────────────────────────


def jobs() -> dict[str, dict[str, Any]]:
    """The jobs of the other stacks, by name."""
    configuration = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    return {one["job_name"]: one for one in configuration["scrape_configs"]}


def test_prometheus_finds_every_pod_and_calls_its_job_as_the_other_stacks_do() -> None:
    monitor = named("PodMonitor", "ekiden", PRODUCTION)["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    for workload in every("Deployment", PRODUCTION):
        assert selects(monitor["selector"], labels(workload))
        assert endpoint["port"] in {one["name"] for one in container(workload)["ports"]}
        assert labels(workload)[monitor["jobLabel"]] in jobs()

    assert endpoint["path"] == "/metrics"
    assert set(SERVICES) <= set(jobs())


def test_the_broker_is_scraped_as_on_the_other_stacks() -> None:
    whole, queues = named("PodMonitor", "rabbitmq", DATA)["spec"]["podMetricsEndpoints"]

    assert whole["path"] == jobs()["rabbitmq"].get("metrics_path", "/metrics")
    assert queues["path"] == jobs()["rabbitmq-queues"]["metrics_path"]
    assert queues["params"] == jobs()["rabbitmq-queues"]["params"]
    assert queues["relabelings"] == [{"targetLabel": "job", "replacement": "rabbitmq-queues"}]


def test_the_broker_is_configured_as_in_the_cluster_that_is_tested() -> None:
    own = named("RabbitmqCluster", "rabbitmq", DATA)["spec"]["rabbitmq"]["additionalConfig"].splitlines()
    files = (REPOSITORY / "deploy" / "rabbitmq").glob("*.conf")
    shared = {line for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    operators = ("#", "cluster_formation.")  # how nodes find each other is the operator's

    assert {line for line in shared if line and not line.startswith(operators)} <= set(own)


def test_readme_makes_the_alert_rules_into_what_the_prometheus_operator_takes() -> None:
    readme = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    (command,) = (block for block in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL) if "PrometheusRule" in block)
    made, piped, _ = command.partition(" | kubectl apply -f -")
    assert piped
    done = subprocess.run(["sh", "-euc", made], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    rule = yaml.safe_load(done.stdout)

    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["metadata"] == {"name": "ekiden", "namespace": "ekiden"}
    assert rule["spec"] == yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))


def test_readme_names_folders_that_are_there() -> None:
    readme = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"deploy/[\w./-]*\w", readme))

    assert [name for name in mentioned if not (REPOSITORY / name).exists()] == []
