"""`make bench`: Ekiden and its peers side by side, in one run, on this machine.

Without a part: the comparison, with the backlog unless it is quick; it writes results.json and results.md. Parts:
`ekiden` alone, in a minute; `backlog`, processor time of a step with 10,000 sessions in flight against 100; `scaling`,
the curves of docs/performance.md.
"""

import argparse
import asyncio
import dataclasses
import math
import signal
import sys
import time

from benchmarks import report
from benchmarks.alone import alone
from benchmarks.backlog import MANY, backlog
from benchmarks.compare import PEERS, compare
from benchmarks.contestants import ALONE, FULL, IN_FLIGHT, QUICK
from benchmarks.scaling import scaling

PARTS = ("ekiden", "backlog", "scaling")
BACKLOGS = 5


async def run(asked: argparse.Namespace) -> None:
    if task := asyncio.current_task():  # told to end, it takes down what it has started
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    given: dict[str, float] = {name: value for name in ("repeats", "sessions") if (value := getattr(asked, name))}
    if given:  # as much as was asked for, however long it takes
        given["begun_within"] = math.inf
    length = ALONE if asked.part == "ekiden" else QUICK if asked.quick else FULL
    length, began = dataclasses.replace(length, **given), time.monotonic()
    if asked.part == "ekiden":
        await alone(length, asked.in_flight)
    elif asked.part == "backlog":
        await backlog(asked.repeats or BACKLOGS, asked.sessions or (MANY // 10 if asked.quick else MANY))
    elif asked.part == "scaling":
        await scaling(quick=asked.quick)
    else:
        found = await compare(asked.peers, length)
        if not asked.quick:
            found = dataclasses.replace(found, backlog_cpu=await backlog(asked.repeats or BACKLOGS))
        print(report.write(found, length, time.monotonic() - began))
    print(f"{time.monotonic() - began:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="about two minutes; backlog and scaling: a tenth of them")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--sessions", type=int, help="of each repeat")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="of Ekiden alone")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
