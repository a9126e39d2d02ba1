"""One stack with every service for all end-to-end tests; both providers are simulated."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from ekiden_native import Stack
from ekiden_native.ports import own_ports
from ekiden_native.stack import SETTINGS
from tests.guides import write


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody has followed docs/write-a-workflow.md: a folder with what it writes, and our commands."""
    desk = tmp_path_factory.mktemp("desk")
    write(Path("docs/write-a-workflow.md"), desk)
    (desk / ".venv").symlink_to(sys.prefix)
    return desk


@pytest.fixture(scope="session")
def workflows_dir(desk: Path) -> Path:
    """Where the stack's gateway finds workflows beside those of the repository."""
    return desk / "my-workflows"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, workflows_dir: Path) -> Iterator[Stack]:
    """A stack of its own, with one process of each service and Prometheus; `stack.env` has its addresses."""
    env = {"EKIDEN_LOG_LEVEL": "info", "EKIDEN_WORKFLOWS_DIR": str(workflows_dir), **own_ports()}
    stack = Stack(tmp_path_factory.mktemp("stack"), env=env, simulate=True, prometheus=True)
    try:
        stack.up(timeout=90)
        yield stack
    finally:
        stack.down(wipe=True)


@pytest.fixture(scope="session")
async def api(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway."""
    async with httpx.AsyncClient(base_url=stack.env["EKIDEN_GATEWAY_URL"], timeout=15, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def machine() -> dict[str, str]:
    """The environment without any setting of Ekiden and without the providers' keys."""
    return {name: value for name, value in os.environ.items() if not name.startswith((*SETTINGS, "NO_COLOR"))}
