"""One file says what is scraped; the native stack finds the same processes in files of its own."""

from pathlib import Path

import yaml

from ekiden_native.program import PROGRAMS, SIMULATOR
from ekiden_native.prometheus import SHARED, native_settings

COMPOSE = yaml.safe_load((SHARED / "prometheus.yml").read_text("utf-8"))
NATIVE = native_settings(COMPOSE, SHARED, Path("/targets"))


def test_every_service_but_the_simulator_is_scraped() -> None:
    scraped = {name for job in COMPOSE["scrape_configs"] for entry in job["dns_sd_configs"] for name in entry["names"]}

    assert scraped == {*PROGRAMS, "rabbitmq"} - {SIMULATOR}


def test_natively_a_file_stands_in_the_place_of_each_name() -> None:
    files = {job["job_name"]: job["file_sd_configs"][0]["files"] for job in NATIVE["scrape_configs"]}

    assert files["gpt-worker"] == ["/targets/gpt-worker.json"]
    assert files["rabbitmq-queues"] == files["rabbitmq"] == ["/targets/rabbitmq.json"]
    assert not any("dns_sd_configs" in job for job in NATIVE["scrape_configs"])


def test_all_else_is_the_same_on_both_stacks() -> None:
    def rest(job: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in job.items() if not key.endswith("_sd_configs")}

    assert NATIVE["global"] == COMPOSE["global"]
    assert [rest(job) for job in NATIVE["scrape_configs"]] == [rest(job) for job in COMPOSE["scrape_configs"]]


def test_the_rules_are_those_that_ship() -> None:
    assert [Path(path).parent for path in NATIVE["rule_files"]] == [SHARED] * len(COMPOSE["rule_files"])
    assert all(Path(path).exists() for path in NATIVE["rule_files"])
