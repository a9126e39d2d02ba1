"""A service whose clock is five minutes off, or jumps: no lease is taken early and no time runs backwards."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.arena import SERVICES, Arena
from tests.chaos.report import Part

PART = "clocks five minutes off"
LIBRARY = "libfaketimeMT.so.1"
CLOCK_ERROR = timedelta(seconds=5)

pytestmark = pytest.mark.long


def faketime() -> str:
    """Debian's libfaketime; installed where that is possible."""
    if not (found := _find()):
        if os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(["apt-get", "install", "-y", "-qq", "libfaketime"], check=True, capture_output=True)
            found = _find()
        if not found:
            pytest.fail("libfaketime is missing. Run: sudo apt-get install libfaketime")
    return found


def _find() -> str | None:
    return next((str(path) for path in Path("/usr/lib").glob(f"*/faketime/{LIBRARY}")), None)


class Clocks:
    """A clock for each service: a file that says how far off it is, which libfaketime reads every second."""

    def __init__(self, folder: Path) -> None:
        library = faketime()
        self._files = {service: folder / f"clock-of-{service}" for service in SERVICES}
        self.variables = {
            service: {
                "LD_PRELOAD": library,
                "FAKETIME_TIMESTAMP_FILE": str(file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            for service, file in self._files.items()
        }
        for service in SERVICES:
            self.set(service, "+0")

    def set(self, service: str, offset: str) -> None:
        self._files[service].write_text(f"{offset}\n")


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    return Clocks(tmp_path_factory.mktemp("clocks"))


@pytest_asyncio.fixture(scope="module")
async def arena(tmp_path_factory: pytest.TempPathFactory, part: Part, clocks: Clocks) -> AsyncIterator[Arena]:
    made = Arena(tmp_path_factory.mktemp("skewed"), variables=clocks.variables, part=part)
    async with made.standing():
        yield made


@pytest.mark.parametrize("offset", ["+5m", "-5m"])
@pytest.mark.parametrize("service", SERVICES)
async def test_a_clock_that_is_off_takes_no_lease_and_repeats_no_call(
    arena: Arena, clocks: Clocks, service: str, offset: str
) -> None:
    """It jumps while sessions are under way, the service is started with it, and it jumps back."""
    began = datetime.now(UTC)
    ids = await arena.start_many(f"{service} {offset}", 5)
    clocks.set(service, offset)
    await arena.until_at(ids[0], "1.EXECUTE")
    ids += await arena.start_many(f"{service} {offset} again", 5)
    sessions = await arena.until_ended(ids)
    clocks.set(service, "+0")
    arena.part.faults[f"clock of {service} {offset}"] += 1

    verdict = await arena.judge(sessions)

    assert (verdict.searches + verdict.cached, verdict.gpt_calls, verdict.resends) == (30, 100, 0)
    assert verdict.gpt_unknown == 0, "no lease was taken early"
    stamped = [entry["at"] for session in sessions for entry in session["history"]]
    assert min(stamped) > began - CLOCK_ERROR, "a time from before the test"
    assert max(stamped) < datetime.now(UTC) + CLOCK_ERROR, "a time that has not come yet"
