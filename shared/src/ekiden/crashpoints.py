"""Named points at which a fault test lets a process die. Without `EKIDEN_CRASH_FILE` they do nothing.

The file holds the name of one point, such as `perplexity:after_post`. The first process that reaches it takes the
file away and dies there as by SIGKILL; the one that is started in its place lives.
"""

import os
import sys
from contextlib import suppress

_FILE = os.environ.get("EKIDEN_CRASH_FILE", "")


def reach(point: str) -> None:
    """Die here when this point was asked for."""
    if not _FILE:
        return
    with suppress(FileNotFoundError):
        with open(_FILE, encoding="utf-8") as asked:
            if asked.read().strip() != point:
                return
        os.unlink(_FILE)
        sys.stderr.write(f"crashing at {point}\n")
        sys.stderr.flush()
        os._exit(9)
