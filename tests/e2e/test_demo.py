"""`ekiden demo`: from nothing to three drafts, and nothing left behind."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ekiden_native import Stack

DEMO = [sys.executable, "-m", "ekiden_cli", "demo"]
LONGEST_SECONDS = 90


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Stack(tmp_path).down(wipe=True)


def left_over(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "run").iterdir() if path.suffix in (".pid", ".sock"))


def test_the_demo_starts_a_stack_gives_three_drafts_and_stops_it(state: Path, machine: dict[str, str]) -> None:
    done = subprocess.run(
        [*DEMO, "AIと働き方"],
        env=machine | {"EKIDEN_STATE_DIR": str(state), "OPENAI_API_KEY": "sk-real", "PERPLEXITY_API_KEY": "pplx-real"},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "OpenAI is simulated. Perplexity is simulated." in done.stderr
    assert sum(line.startswith("--- Draft") for line in done.stdout.splitlines()) == 3
    assert "spent of $1.00" in done.stdout
    assert "Simulated" in done.stdout
    assert left_over(state) == []


def test_the_demo_uses_a_stack_that_is_up_and_leaves_it_up(stack: Stack, machine: dict[str, str]) -> None:
    before = {row["service"]: row["pid"] for row in stack.ps()}
    done = subprocess.run(
        DEMO,
        env=machine | {"EKIDEN_STATE_DIR": str(stack.state.root)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert {row["service"]: row["pid"] for row in stack.ps()} == before


def _heed_interrupts() -> None:
    """As on a terminal: a shell's background job, which a CI run may be, ignores SIGINT and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_what_it_started(
    state: Path, machine: dict[str, str], number: signal.Signals
) -> None:
    demo = subprocess.Popen(
        DEMO,
        env=machine | {"EKIDEN_STATE_DIR": str(state), "EKIDEN_SIMULATOR_TIME_SCALE": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    assert demo.stdout is not None
    began = time.monotonic()
    while "begins" not in demo.stdout.readline():
        assert time.monotonic() - began < LONGEST_SECONDS

    demo.send_signal(number)
    _, err = demo.communicate(timeout=LONGEST_SECONDS)

    assert demo.returncode == 130
    assert "Traceback" not in err
    assert left_over(state) == []


def test_real_providers_need_keys(state: Path, machine: dict[str, str]) -> None:
    done = subprocess.run(
        [*DEMO, "--real"],
        env=machine | {"EKIDEN_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )

    assert done.returncode == 1
    assert "OPENAI_API_KEY" in done.stderr


def test_on_a_terminal_the_relay_is_drawn(stack: Stack, machine: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    demo = subprocess.Popen(
        DEMO,
        env=machine | {"EKIDEN_STATE_DIR": str(stack.state.root), "TERM": "xterm-256color", "COLUMNS": "80"},
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)

    assert demo.wait(LONGEST_SECONDS) == 0
    told = shown.decode()
    assert "駅伝" in told
    assert "トレンド調査" in told
    assert "\x1b[" in told
    assert "SIMULATED" in told
