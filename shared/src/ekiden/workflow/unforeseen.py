"""The safety net: whoever checks a workflow is told of mistakes, also of one of ours, and never sees a traceback."""

import traceback
from pathlib import Path

import structlog

from ekiden.errors import Mistake

log = structlog.get_logger()


def unforeseen(file: str, error: Exception) -> Mistake:
    """A bug of the check as a mistake in the file it looked at; the log of a service has its traceback."""
    if structlog.is_configured():  # the command line has no log, and structlog's own default is the terminal
        log.error("workflow_check_crashed", file=file, exc_info=error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return Mistake(
        file, None, f"cannot be checked: {type(error).__name__}{where}, a mistake of Ekiden's", "please report it"
    )
