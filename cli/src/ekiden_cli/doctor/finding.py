"""One answer of the doctor."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and for whatever is not right what to change."""

    name: str
    verdict: Verdict
    found: str
    change: str = ""

    @property
    def is_failure(self) -> bool:
        return self.verdict is Verdict.FAILED

    def document(self) -> dict[str, str]:
        return asdict(self)


def ok(name: str, found: str) -> Finding:
    return Finding(name, Verdict.OK, found)


def warning(name: str, found: str, change: str) -> Finding:
    return Finding(name, Verdict.WARNING, found, change)


def failed(name: str, found: str, change: str) -> Finding:
    return Finding(name, Verdict.FAILED, found, change)
