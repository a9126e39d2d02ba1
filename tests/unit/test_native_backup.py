"""What a backup and a restore of the native stack refuse; that they work is shown under load in tests/e2e."""

from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from ekiden_native.backup import back_up, restore
from ekiden_native.errors import NotRestorable, StackError
from ekiden_native.state_dir import StateDir


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A stack that is down, with a database that must not be harmed by mistake."""
    made = StateDir(tmp_path / "state")
    database = made.data / "mongod"
    database.mkdir(parents=True)
    (database / "WiredTiger").write_text("precious")
    (database / "mongod.lock").touch()
    return made


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "WiredTiger").write_text("older")
    return folder


def database(state: StateDir) -> str:
    return (state.data / "mongod" / "WiredTiger").read_text()


def test_a_restore_replaces_the_database_and_keeps_the_copy(state: StateDir, copy: Path) -> None:
    restore(state, copy)
    assert database(state) == "older"
    assert (copy / "WiredTiger").read_text() == "older"


def test_a_folder_that_is_no_backup_is_refused(state: StateDir, tmp_path: Path) -> None:
    with pytest.raises(NotRestorable, match="is no backup"):
        restore(state, tmp_path)
    assert database(state) == "precious"


def test_a_database_that_runs_is_not_replaced(state: StateDir, copy: Path) -> None:
    with (state.data / "mongod" / "mongod.lock").open("r+") as held:
        flock(held, LOCK_EX)  # as mongod does
        with pytest.raises(NotRestorable, match="is running"):
            restore(state, copy)
    assert database(state) == "precious"


def test_a_backup_never_replaces_another(state: StateDir, copy: Path) -> None:
    with pytest.raises(StackError, match="is there already"):
        back_up(state, "mongodb://127.0.0.1:1", copy)
