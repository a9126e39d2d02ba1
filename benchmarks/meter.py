"""What processes and their children use: memory and processor time, from /proc."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)
"""What reading of a process says that ended a moment ago."""


@dataclass(frozen=True)
class Used:
    """What a process used since its meter was begun."""

    mib: float
    """The most memory it held: resident set, MiB."""
    cpu_seconds: float
    seconds: float

    @property
    def core(self) -> float:
        """Share of one core."""
        return self.cpu_seconds / self.seconds


@dataclass(frozen=True)
class Meter:
    """Of a process and all that it started, those that have ended meanwhile included.

    Begun by `of`, read as often as one likes. A process that was started anew is another process.
    """

    pid: int
    began: float
    cpu_at_first: float

    @classmethod
    def of(cls, pid: int) -> Self:
        for each in _family(pid):
            with suppress(*_GONE):
                Path(f"/proc/{each}/clear_refs").write_text("5")  # its high-water mark begins here
        return cls(pid, time.monotonic(), _cpu_seconds(pid))

    def read(self) -> Used:
        mib = sum(map(_most_kib, _family(self.pid))) / 1024
        return Used(mib, _cpu_seconds(self.pid) - self.cpu_at_first, time.monotonic() - self.began)


def _family(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(*_GONE):
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, listed.read_text().split())
    return [pid, *(each for child in children for each in _family(child))]


def _most_kib(pid: int) -> int:
    with suppress(*_GONE):
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return 0


def _cpu_seconds(pid: int) -> float:
    return sum(map(_ticks, _family(pid))) / _TICKS_A_SECOND


def _ticks(pid: int) -> int:
    """Fields 14 to 17 of /proc/<pid>/stat (proc(5)): its own time, and that of the children it has waited for."""
    with suppress(*_GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0
