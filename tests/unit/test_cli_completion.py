"""TAB: what the shells are told, by the protocol that their scripts speak."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ekiden_cli import completion

EKIDEN = Path(sys.executable).with_name("ekiden")


def test_a_status_may_be_typed_small() -> None:
    assert completion.statuses("wa") == ["WAITING"]


def test_workflows_of_the_folder_are_offered_without_asking_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workflows" / "mine").mkdir(parents=True)
    (tmp_path / "workflows" / "mine" / "workflow.yaml").write_text("")
    monkeypatch.chdir(tmp_path)

    assert completion.workflow_folders("") == ["mine"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[::1"])
def test_without_a_gateway_nothing_is_offered_and_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("EKIDEN_GATEWAY_URL", url)

    assert list(completion.session_ids("")) == []
    assert capfd.readouterr() == ("", "")


def test_a_gateway_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("EKIDEN_GATEWAY_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(completion, "LONGEST_SECONDS", 0.05)

        assert list(completion.session_ids("")) == []


def tab(shell: str, words: str, **variables: str) -> list[str]:
    """What the command answers to a shell's script."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EKIDEN_")}
    done = subprocess.run(
        [EKIDEN],
        env=environment | variables | {"_EKIDEN_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "", words
    return done.stdout.split("\n")


def test_bash_completes_by_the_script_that_it_is_given() -> None:
    script = subprocess.run(
        [EKIDEN, "--show-completion", "bash"],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    asked = "\n".join(
        [
            script,
            'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ekiden_completion ekiden; echo "${COMPREPLY[*]}"; }',
            "ask ekiden sessions re",
            "ask ekiden sessions recover x --action re",
        ]
    )
    bash = shutil.which("bash")
    assert bash is not None
    path = f"{EKIDEN.parent}:{os.environ['PATH']}"
    done = subprocess.run([bash, "-c", asked], env=os.environ | {"PATH": path}, capture_output=True, text=True)

    assert done.stderr == ""
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["resume", "recover"],
        ["retry", "restart_phase", "restart_session", "resolve", "resolve_all"],
    ]


def test_zsh_is_told_the_words_with_their_help() -> None:
    told = "\n".join(tab("zsh", "ekiden sessions ", _TYPER_COMPLETE_ARGS="ekiden sessions "))

    assert '"watch":' in told
    assert "Watch a session" in told


def test_fish_is_told_the_words_with_their_help() -> None:
    asked = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": "ekiden sessions can"}
    told = tab("fish", "ekiden sessions can", **asked)

    assert told[0].startswith("cancel\tCancel a session")
