"""What ends a command, and with which exit code.

::

    EkidenError (of ekiden_client)   what the gateway said, or that nobody is there; split by what to do next
    CliError                         a sentence, and the exit code that belongs to it
    └── NotThere                     there is no such thing (3)
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

from ekiden_client import (
    EkidenError,
    Forbidden,
    Invalid,
    Misconfigured,
    NotAGateway,
    NotFound,
    Problem,
    Unauthenticated,
    Unreachable,
)


class Exit(IntEnum):
    """The exit codes of the `ekiden` command. They are part of its interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    WAITS = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "done and well",
    Exit.FAILED: "failed, not healthy, or not allowed",
    Exit.USAGE: "misunderstood: an option, a value or a setting",
    Exit.NOT_FOUND: "no such thing",
    Exit.WAITS: "the session waits for a person",
    Exit.UNREACHABLE: "the gateway does not answer",
    Exit.INTERRUPTED: "interrupted by Ctrl-C; a session goes on",
}


class CliError(Exception):
    """The command cannot do what was asked."""

    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str = "", *, help: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])
        self.help = help


class NotThere(CliError):
    """There is no such thing."""

    exit_code = Exit.NOT_FOUND


class Away(CliError):
    """What the command needs does not answer."""

    exit_code = Exit.UNREACHABLE


_EXITS: Mapping[type[EkidenError], Exit] = {
    Misconfigured: Exit.USAGE,
    Invalid: Exit.USAGE,
    NotFound: Exit.NOT_FOUND,
    Unreachable: Exit.UNREACHABLE,
}
_ADDRESS = "Say where the gateway is with EKIDEN_GATEWAY_URL."


def exit_of(error: CliError | EkidenError) -> Exit:
    if isinstance(error, CliError):
        return error.exit_code
    return next((code for kind, code in _EXITS.items() if isinstance(error, kind)), Exit.FAILED)


def help_for(error: CliError | EkidenError) -> str:
    """What to do about it; empty when its sentence says that already."""
    match error:
        case CliError():
            return error.help
        case NotAGateway():
            return f"{_ADDRESS} `ekiden doctor` compares the versions."
        case Misconfigured():
            return "Mend EKIDEN_GATEWAY_URL or EKIDEN_API_KEY."
        case Unreachable():
            return f"Start the stack with `make up`. {_ADDRESS}"
        case Unauthenticated():
            return "Set EKIDEN_API_KEY to a key of this gateway."
        case Forbidden():
            return "Set EKIDEN_API_KEY to a key that has this scope."
        case Problem(retry_after_seconds=float() as wait):
            return f"Try again in {wait:.0f} s."
        case _:
            return ""


def document_of(error: CliError | EkidenError) -> dict[str, object]:
    """What `--json` prints of it."""
    told: dict[str, object] = {"type": type(error).__name__, "detail": str(error)}
    if isinstance(error, Problem):
        told = error.document()
    return told | {"help": help_for(error) or None, "exitCode": int(exit_of(error))}
