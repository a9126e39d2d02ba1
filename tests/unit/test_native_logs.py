"""The logs of all processes, one name in front of each line."""

from pathlib import Path

import pytest

from ekiden_native.logs import print_logs
from ekiden_native.state_dir import StateDir


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path)
    state.make()
    state.log_file("gpt-worker", 1).write_text("one\n")
    state.log_file("gpt-worker", 12).write_text("twelve\n")
    state.log_file("gateway", 1).write_text("gate\nunfinished")
    return state


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_every_whole_line_is_printed_with_its_process(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    print_logs(state, [])

    assert printed(capsys) == ["gateway-1 | gate", "gpt-worker-1 | one", "gpt-worker-12 | twelve"]


def test_a_service_stands_for_all_of_its_processes(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    print_logs(state, ["gpt-worker"])

    assert printed(capsys) == ["gpt-worker-1 | one", "gpt-worker-12 | twelve"]


def test_a_process_stands_for_itself_alone(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    print_logs(state, ["gpt-worker-1"])

    assert printed(capsys) == ["gpt-worker-1 | one"]


def test_what_was_printed_is_not_printed_again(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    reached = print_logs(state, [])
    printed(capsys)
    with state.log_file("gateway", 1).open("a") as log:
        log.write(" no more\n")

    print_logs(state, [], reached)

    assert printed(capsys) == ["gateway-1 | unfinished no more"]
