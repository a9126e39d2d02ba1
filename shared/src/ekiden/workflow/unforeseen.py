"""The safety net: whoever checks a workflow is told of mistakes, also of one of ours, and never sees a traceback."""

import logging
import sys
import traceback
from pathlib import Path

import structlog

from ekiden.errors import Mistake

log = structlog.get_logger()


def log_on_a_terminal(*, debug: bool) -> None:
    """Keep tracebacks from people who did not ask for them, and from a program that reads the output."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def unforeseen(file: str, error: Exception) -> Mistake:
    """A bug of the check as a mistake in the file it looked at; the log has its traceback."""
    log.error("workflow_check_crashed", file=file, exc_info=error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return Mistake(
        file, None, f"cannot be checked: {type(error).__name__}{where}, a mistake of Ekiden's", "please report it"
    )
