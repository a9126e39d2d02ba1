"""The alerts: valid, tried by cases, and explained in the runbook.

Whether somebody exports what they ask for is a matter of tests/unit/test_dashboards_metrics.py.

`promtool` comes with Debian's `prometheus`, which `make setup` installs.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((SHIPPED / "alerts.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
CASES: list[dict[str, Any]] = [
    tried
    for case in yaml.safe_load((SHIPPED / "alerts_test.yml").read_text("utf-8"))["tests"]
    for tried in case["alert_rule_test"]
]
RUNBOOK = (ROOT / "docs" / "runbook" / "alerts.md").read_text("utf-8")
PARTS = {part.partition("\n")[0]: part for part in RUNBOOK.split("\n## ")[1:]}
COMMAND = re.compile(r"^ {4}((?:ekiden|make) .*)$", re.MULTILINE)

each_alert = pytest.mark.parametrize("alert", RULES, ids=lambda rule: rule["alert"])


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=SHIPPED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_of_prometheus_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_when_it_should_and_stays_quiet_when_it_should_not() -> None:
    promtool("test", "rules", "alerts_test.yml")


@each_alert
def test_an_alert_has_a_firing_and_a_quiet_case(alert: dict[str, Any]) -> None:
    fires = {bool(case["exp_alerts"]) for case in CASES if case["alertname"] == alert["alert"]}

    assert fires == {True, False}


@each_alert
def test_an_alert_says_how_bad_it_is_and_what_it_is_about(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook_url"} == alert["annotations"].keys()


@each_alert
def test_an_alert_has_its_part_of_the_runbook(alert: dict[str, Any]) -> None:
    name = alert["alert"]

    assert alert["annotations"]["runbook_url"] == f"docs/runbook/alerts.md#{name.lower()}"
    for question in ("**Means**", "**See**", "**Do first**", "**Escalate**"):
        assert question in PARTS[name], f"{name}: {question}"


def test_the_runbook_has_no_part_about_an_alert_that_is_gone() -> None:
    assert PARTS.keys() == {alert["alert"] for alert in RULES}


def test_the_runbook_knows_every_command_it_names() -> None:
    from typer.main import get_command

    from ekiden_cli.app import make_app

    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for line in COMMAND.findall(RUNBOOK):
        program, *words = line.split()
        if program == "make":
            assert words[0] in targets, line
            continue
        command: Any = get_command(make_app())
        while hasattr(command, "commands"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
