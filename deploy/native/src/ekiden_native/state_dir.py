"""Where one stack keeps its files; two stacks share nothing but the machine."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateDir:
    """Name every file below the state directory (`.local/` unless chosen otherwise)."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def env_file(self) -> Path:
        return self.root / "stack.env"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor and, by inheritance, by every process it started.

        Who gets the lock knows that all of them are gone, however the supervisor ended.
        """
        return self.run / "stack.lock"

    @property
    def supervisor_pid_file(self) -> Path:
        return self.run / "supervisor.pid"

    @property
    def token(self) -> str:
        """Six hexadecimal digits that differ between state directories."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:6]

    def pid_file(self, service: str, n: int) -> Path:
        return self.run / f"{service}-{n}.pid"

    def log_file(self, service: str, n: int) -> Path:
        return self.log / f"{service}-{n}.log"

    def make(self) -> None:
        for folder in (self.run, self.log, self.data):
            folder.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the file at once: a reader sees the old text or the new one, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def read_pid(path: Path) -> int | None:
    """Return the process id in the file, or None when there is no such file."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
