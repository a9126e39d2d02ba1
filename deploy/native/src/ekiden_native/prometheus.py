"""A Prometheus of our own: the settings of Compose, with the replicas found in files in place of names.

`deploy/prometheus/prometheus.yml` says what is scraped and how often, and which rules hold. It finds replicas by the
names that Compose gives them; here the supervisor writes one file for each of those names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ekiden_native.ports import LOOPBACK
from ekiden_native.probe import Probe, answers_ok
from ekiden_native.state_dir import StateDir, write_atomically

SHARED = Path(__file__).parents[3] / "prometheus"
_REFRESH = "5s"  # a change of a file is seen at once; this is for where the kernel tells of none


@dataclass(frozen=True)
class Prometheus:
    """Where it keeps its data, which program runs it, and its port."""

    state: StateDir
    server: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        return (
            *(str(self.server), f"--config.file={self._settings}", f"--web.listen-address={LOOPBACK}:{self.port}"),
            *(f"--storage.tsdb.path={self._folder / 'tsdb'}", "--storage.tsdb.retention.time=3d", "--log.level=warn"),
        )

    @property
    def _folder(self) -> Path:
        return self.state.data / "prometheus"

    @property
    def _settings(self) -> Path:
        return self._folder / "prometheus.yml"

    @property
    def _targets(self) -> Path:
        return self._folder / "targets"

    def prepare(self) -> None:
        self._targets.mkdir(parents=True, exist_ok=True)
        shared = yaml.safe_load((SHARED / "prometheus.yml").read_text("utf-8"))
        write_atomically(self._settings, yaml.safe_dump(native_settings(shared, SHARED, self._targets)))

    def tell(self, found: Mapping[str, Mapping[str, int]]) -> None:
        """Say which processes there are: for each name the ports, by what their `instance` shall be called."""
        for name, ports in found.items():
            groups = [
                {"targets": [f"{LOOPBACK}:{port}"], "labels": {"instance": instance}}
                for instance, port in ports.items()
            ]
            write_atomically(self._targets / f"{name}.json", json.dumps(groups))

    @property
    def serves(self) -> Probe:
        return answers_ok(self.port, "/-/ready")


def native_settings(shared: Mapping[str, Any], rules: Path, targets: Path) -> dict[str, Any]:
    """Return the settings with the rules found in the folder `rules`, and each DNS name in a file below `targets`."""
    return {
        **shared,
        "rule_files": [str(rules / name) for name in shared["rule_files"]],
        "scrape_configs": [_with_files(job, targets) for job in shared["scrape_configs"]],
    }


def _with_files(job: Mapping[str, Any], targets: Path) -> dict[str, Any]:
    files = [str(targets / f"{name}.json") for entry in job["dns_sd_configs"] for name in entry["names"]]
    kept = {key: value for key, value in job.items() if key != "dns_sd_configs"}
    return {**kept, "file_sd_configs": [{"files": files, "refresh_interval": _REFRESH}]}
