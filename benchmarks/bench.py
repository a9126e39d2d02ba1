"""`make bench`: Ekiden and its peers side by side, in one run, on this machine."""

import argparse
import asyncio
import dataclasses
import sys
import time

from benchmarks.alone import alone
from benchmarks.contestants import FULL, IN_FLIGHT, QUICK

PARTS = ("ekiden",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="under two minutes")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--sessions", type=int, help="of each repeat")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="of Ekiden alone")
    asked = parser.parse_args()
    said = {name: value for name in ("repeats", "sessions") if (value := getattr(asked, name))}
    length = dataclasses.replace(QUICK if asked.quick or asked.part == "ekiden" else FULL, **said)
    began = time.monotonic()
    asyncio.run(alone(length, asked.in_flight))
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
