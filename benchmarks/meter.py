"""What processes use: memory and processor time, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


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
    """Begun by `of`, read as often as one likes. A process that was started anew is another process."""

    pid: int
    began: float
    cpu_at_first: float

    @classmethod
    def of(cls, pid: int) -> Self:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # its high-water mark begins here
        return cls(pid, time.monotonic(), _cpu_seconds(pid))

    def read(self) -> Used:
        status = Path(f"/proc/{self.pid}/status").read_text()
        kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return Used(kib / 1024, _cpu_seconds(self.pid) - self.cpu_at_first, time.monotonic() - self.began)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
