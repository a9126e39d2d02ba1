"""A copy of the stack's database, and the way back.

Taken from mongod's files while it holds them still (`fsync` with a lock): one moment of all collections, and all that
the MongoDB server needs; `mongodump` is a program of its own that neither Debian nor PyPI has. RabbitMQ is not copied:
its messages are wake-ups, and everything they say is in the database.
"""

import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ekiden_native.errors import NotRestorable, NotRunning, StackError
from ekiden_native.state_dir import StateDir

_LOCK_FILE = "mongod.lock"
_ANSWER_MS = 30_000


def back_up(state: StateDir, url: str, folder: Path) -> Path:
    """Copy the database's files to a new folder. Writes wait meanwhile, and go on afterwards.

    Raises NotRunning when the database does not answer, StackError when the folder is there already.
    """
    if folder.exists():
        raise StackError(f"{folder} is there already: a backup never replaces another.")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _held_still(url):
            shutil.copytree(state.data / "mongod", unfinished, ignore=shutil.ignore_patterns(_LOCK_FILE))
    except PyMongoError as error:
        raise NotRunning(f"The database does not answer: {str(error)[:200]}") from error
    return unfinished.rename(folder)


def restore(state: StateDir, folder: Path) -> None:
    """Put a backup in the place of the database's files. Raises NotRestorable, also while mongod uses them."""
    if not (folder / "WiredTiger").is_file():
        raise NotRestorable(f"{folder} is no backup: it has no file WiredTiger.")
    place = state.data / "mongod"
    if _is_in_use(place / _LOCK_FILE):
        raise NotRestorable("The database is running: take the stack down first.")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)


@contextmanager
def _held_still(url: str) -> Generator[None]:
    with MongoClient[dict[str, Any]](url, timeoutMS=_ANSWER_MS) as client:
        client.admin.command("fsync", lock=True)
        try:
            yield
        finally:
            with suppress(OperationFailure):  # it is not locked any more: somebody else let go of it
                client.admin.command("fsyncUnlock")


def _is_in_use(lock_file: Path) -> bool:
    """Whether a mongod holds its lock on the file."""
    if not lock_file.exists():
        return False
    with lock_file.open("r+") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            return True
    return False
