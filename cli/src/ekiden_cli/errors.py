"""What can go wrong between a person and the gateway, split by what the person does next.

::

    CliError                    a sentence, and the exit code that belongs to it
    ├── NotThere                there is no such folder (3)
    ├── Unreachable             start the stack, or say where it is (5)
    └── Problem                 the gateway answered, and said no (1)
        ├── NotFound                look up the id (3)
        ├── Invalid                 mend what you sent (2)
        ├── Forbidden               set EKIDEN_API_KEY, or ask for another scope
        ├── Conflict                the state does not allow it; the detail says what does
        ├── OverQuota               wait, then try again
        └── Unavailable             the gateway stands, what is behind it does not: wait
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes of the `ekiden` command. They are part of its interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    WAITS = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class CliError(Exception):
    """The command cannot do what was asked."""

    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str = "", *, help: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])
        self.help = help

    def document(self) -> dict[str, object]:
        """What `--json` prints of it."""
        return {"type": type(self).__name__, "detail": str(self), "help": self.help or None}


class NotThere(CliError):
    """There is no such thing."""

    exit_code = Exit.NOT_FOUND


class Unreachable(CliError):
    """The gateway does not answer."""

    exit_code = Exit.UNREACHABLE


class Problem(CliError):
    """The gateway answered with a problem.

    `status` is the HTTP status, `type` the problem's stable name, `extra` what else the gateway said.
    """

    def __init__(
        self,
        status: int,
        title: str = "",
        detail: str = "",
        *,
        type: str = "about:blank",
        retry_after_seconds: float | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or title or f"The gateway answered with status {status}.")
        self.status = status
        self.title = title
        self.type = type
        self.retry_after_seconds = retry_after_seconds
        self.extra = extra or {}
        if retry_after_seconds is not None:
            self.help = f"Try again in {retry_after_seconds:.0f} s."

    def document(self) -> dict[str, object]:
        return {**self.extra, "type": self.type, "title": self.title, "status": self.status, "detail": str(self)}


class NotFound(Problem):
    """The gateway knows no such thing."""

    exit_code = Exit.NOT_FOUND


class Invalid(Problem):
    """The gateway does not accept what was sent."""

    exit_code = Exit.USAGE


class Forbidden(Problem):
    """The gateway wants an API key, or one with another scope."""


class Conflict(Problem):
    """The state of the session does not allow it."""


class OverQuota(Problem):
    """Too many requests, or too much money."""


class Unavailable(Problem):
    """The gateway stands, but what it needs does not."""
