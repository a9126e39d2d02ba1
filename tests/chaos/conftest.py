"""One arena for the tests of a run that need no other, a part of the table for each file, the table at the end.

`CHAOS_SEED` gives a seed back, `CHAOS_TABLE` names a file for the table.
"""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.arena import Arena
from tests.chaos.report import MOST_SECONDS, Part, shortfalls, table

SEED = int(os.environ.get("CHAOS_SEED") or time.time())
PARTS = pytest.StashKey[list[Part]]()


@pytest.fixture(scope="session")
def seed() -> int:
    """What every random choice of a run is drawn from; shown with the table."""
    return SEED


@pytest.fixture(scope="module")
def part(request: pytest.FixtureRequest) -> Iterator[Part]:
    """The row of a file, named by its `PART`, which may take ten minutes."""
    made = Part(request.module.PART)
    request.config.stash.setdefault(PARTS, []).append(made)
    yield made
    made.seconds = time.monotonic() - made.began
    assert made.seconds <= MOST_SECONDS, f"{made.name} took {made.seconds:.0f} s"


@pytest_asyncio.fixture(scope="session")
async def common_arena(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """What a fault leaves behind is a part of the next test."""
    async with Arena(tmp_path_factory.mktemp("arena")).standing() as made:
        yield made


@pytest.fixture
def arena(common_arena: Arena, part: Part) -> Arena:
    common_arena.part = part
    return common_arena


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run of all parts that proved too little has failed."""
    if _too_little(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _too_little(config: pytest.Config) -> list[str]:
    parts = config.stash.get(PARTS, [])
    return shortfalls(parts) if len(parts) == _parts_there_are() else []


def _parts_there_are() -> int:
    tests = Path(__file__).parent.glob("test_*.py")
    return sum("\nPART = " in test.read_text(encoding="utf-8") for test in tests)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    parts = config.stash.get(PARTS, [])
    if not parts:
        return
    shown = table(parts, SEED)
    terminalreporter.write_sep("=", "faults × outcomes")
    terminalreporter.write_line(shown)
    for shortfall in _too_little(config):
        terminalreporter.write_line(shortfall, red=True)
    if path := os.environ.get("CHAOS_TABLE"):
        Path(path).write_text(shown + "\n", encoding="utf-8")
