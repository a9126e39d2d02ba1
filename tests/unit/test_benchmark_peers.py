"""A peer of `make bench` is a process that is told in lines what to run, and whose end is noticed."""

import asyncio
import sys
from pathlib import Path

import pytest
from benchmarks.contestants import Peer

SPEAKS = """\
import json, os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=sys.stderr)
print(json.dumps({"pids": {"driver": os.getpid(), "worker": worker.pid}, "versions": {"it": "1.0"}}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"seconds": 2.0, "latencies": [1.0] * asked["sessions"]}), flush=True)
"""
DIES = "import sys; sys.exit(3)"


def peer(folder: Path, script: str) -> Peer:
    (folder / "script.py").write_text(script, encoding="utf-8")
    return Peer("it", str(folder / "script.py"), Path(sys.executable), {})


async def test_a_peer_says_who_it_is_and_runs_what_it_is_told(tmp_path: Path) -> None:
    it = peer(tmp_path, SPEAKS)
    await it.open()
    try:
        ran = await it.run(4, 2)
    finally:
        await it.close()

    assert it.versions == {"it": "1.0"}
    assert ran.steps_per_second == pytest.approx(4 * 13 / 2)


async def test_nobody_whom_a_peer_started_is_left(tmp_path: Path) -> None:
    it = peer(tmp_path, SPEAKS)
    await it.open()
    worker = it.pids()["worker"]

    await it.close()

    async with asyncio.timeout(30.0):
        while _runs(worker):  # noqa: ASYNC110 - it is no child of ours
            await asyncio.sleep(0.01)


async def test_a_peer_that_dies_ends_the_benchmark(tmp_path: Path) -> None:
    it = peer(tmp_path, DIES)

    with pytest.raises(RuntimeError, match="it ended with 3"):
        await it.open()


def _runs(pid: int) -> bool:
    """A killed process that nobody has waited for yet is a zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
