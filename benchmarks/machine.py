"""Where a benchmark ran, and of what: without that its figures say nothing."""

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import at

SYNCS = 200


def commit() -> str:
    """The commit, with a plus where files differ from it."""
    return _said("git", "rev-parse", "--short", "HEAD") + "+" * bool(_said("git", "status", "--porcelain"))


def machine() -> str:
    told = (f"{os.cpu_count()} cores", _processor(), f"Python {platform.python_version()}")
    return f"{platform.machine()}, {', '.join(told)}, load {os.getloadavg()[0]:.1f}, {sync_ms():.2f} ms a disk write"


def sync_ms() -> float:
    """What the disk takes to keep half a kilobyte, in milliseconds: the median. Journals and logs wait for it."""
    took: list[float] = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(b"x" * 512)
            os.fdatasync(file.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return at(took, 0.5)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()
