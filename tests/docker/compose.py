"""A Compose project of the tests' own: its name, its ports, its images, and a copy of the tree to run from."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ekiden_native.ports import LOOPBACK, free_port
from ekiden_native.stack import SETTINGS

ROOT = Path(__file__).parents[2]
OURS = ("gateway", "orchestrator", "gpt-worker", "perplexity-worker")
PORTS = (
    *("EKIDEN_GATEWAY_PORT", "EKIDEN_SIMULATOR_PORT", "EKIDEN_AMQP_PORT", "EKIDEN_MONGODB_PORT"),
    *("EKIDEN_PROMETHEUS_PORT", "EKIDEN_GRAFANA_PORT", "EKIDEN_RABBITMQ_UI_PORT"),
)
COMMAND_SECONDS = 900.0
"""An image is built with what a package index gives, as fast as it gives it."""


class Compose:
    """`docker compose` as `make up` calls it, in a fresh copy, without a user's settings. Whoever makes one ends it."""

    def __init__(self, folder: Path, *files: str) -> None:
        self.project = f"ekiden-test-{secrets.token_hex(3)}"
        self.folder = copy_of_the_tree(folder / "clone")
        used: set[int] = set()
        self.ports = {name: free_port(used) for name in PORTS}
        self.network = folder / "network.yml"
        # The provider of a test stands outside the stack: a `down` must not take it along.
        self.network.write_text(json.dumps({"networks": {"default": {"name": self.project, "external": True}}}))
        machine = {name: value for name, value in os.environ.items() if not name.startswith((*SETTINGS, "COMPOSE_"))}
        self.environment = machine | {name: str(port) for name, port in self.ports.items()}
        self.environment |= {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": os.pathsep.join(["docker-compose.yml", *files, str(self.network)]),
            "COMPOSE_PROGRESS": "plain",
            "IMAGE_TAG": self.project,
            "DOCKER_BUILD_NETWORK": build_network(),
        }
        self.provider = ""  # the address of its bill, once there is one
        docker("network", "create", self.project)

    def __call__(self, *arguments: str) -> str:
        """Run one command and return what it prints; fail with all of that when it fails."""
        command = [sys.executable, "-m", "ekiden_native.compose", *arguments]
        return run(command, folder=self.folder, environment=self.environment)

    def up(self, *arguments: str) -> str:
        try:
            return self("up", "--detach", "--wait", *arguments)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self('logs', '--no-color', '--tail', '15')}") from error

    def end(self) -> None:
        """Leave nothing behind: containers, volumes, network, images."""
        self("down", "--volumes", "--remove-orphans", "--timeout", "1")
        for container in docker("ps", "--all", "--quiet", "--filter", f"network={self.project}").split():
            docker("rm", "--force", container)
        docker("network", "rm", self.project)
        images = docker("image", "ls", "--quiet", "--filter", f"reference=ekiden/*:{self.project}").split()
        docker("image", "rm", "--force", *images)

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """What `docker inspect` says of the containers that run."""
        found = self("ps", "--quiet", *services).split()
        return json.loads(docker("inspect", *found)) if found else []

    def url(self, port: str, scheme: str = "http") -> str:
        return f"{scheme}://{LOOPBACK}:{self.ports[port]}"


def service_of(container: dict[str, Any]) -> str:
    return container["Config"]["Labels"]["com.docker.compose.service"]


def copy_of_the_tree(target: Path) -> Path:
    """What a fresh clone would hold: the tree without what git does not see."""
    unseen = [line.strip().rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".git", *filter(None, unseen)))
    return target


def build_network() -> str:
    """`host` where containers find no way out by themselves, as behind some companies' networks."""
    if asked := os.environ.get("DOCKER_BUILD_NETWORK"):
        return asked
    image = os.environ.get("PYTHON_IMAGE") or "python:3.13-slim"
    look = "python3 -m pip download --quiet --no-deps --retries 0 --timeout 10 --dest /tmp idna"
    probe = ["docker", "run", "--rm", image, "sh", "-c", look]
    return "host" if subprocess.run(probe, check=False, capture_output=True).returncode else "default"


def docker(*arguments: str) -> str:
    return run(["docker", *arguments])


def run(command: Sequence[str], *, folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
