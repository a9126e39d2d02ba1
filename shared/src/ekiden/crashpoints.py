"""Named points at which a fault test lets a process die. Without `EKIDEN_CRASH_AT` they do nothing."""

import os
import sys

_WHERE = os.environ.get("EKIDEN_CRASH_AT", "")
_MARK = os.environ.get("EKIDEN_CRASH_ONCE", "")
"""A file that is made at the crash, so that the process which is started in its place lives."""


def reach(point: str) -> None:
    """Die here, as by SIGKILL, when this point was asked for."""
    if point != _WHERE or (_MARK and os.path.exists(_MARK)):
        return
    if _MARK:
        with open(_MARK, "w", encoding="utf-8") as mark:
            mark.write(point)
    sys.stderr.write(f"crashing at {point}\n")
    sys.stderr.flush()
    os._exit(9)
