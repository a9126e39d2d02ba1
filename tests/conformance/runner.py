"""Schemathesis over a gateway that runs: all of its checks, and how often each operation gave each status."""

import asyncio
import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekiden_gateway.documents import DOCUMENTS
from tests.conformance.callers import KEYS, NEIGHBOUR, TESTER

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCHEMATHESIS = (sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run")
_PATHS = json.loads(DOCUMENTS["openapi.json"]())["paths"].values()
OPERATIONS = {said["operationId"]: said for path in _PATHS for method, said in path.items() if method != "head"}


@dataclass(frozen=True)
class Outcome:
    """`tally` is operation → status → calls; a call with a method that the address does not take counts apart."""

    status: int
    output: str
    tally: dict[str, dict[str, int]]

    @property
    def server_errors(self) -> int:
        return sum(count for answers in self.tally.values() for status, count in answers.items() if status[0] == "5")

    @property
    def calls(self) -> int:
        return sum(sum(answers.values()) for answers in self.tally.values())

    @property
    def without_success(self) -> list[str]:
        """The operations that were never answered with a 2xx."""
        return [name for name, answers in self.tally.items() if not any(status[0] == "2" for status in answers)]

    @property
    def open_doors(self) -> list[str]:
        """The operations that ask for a key, and never refused a wrong one or one without the scope."""
        locked = [name for name, said in OPERATIONS.items() if said.get("security")]
        return [name for name in locked if not {"401", "403"} <= self.tally.get(name, {}).keys()]


async def run(scratch: Path, yard: dict[str, Any], *arguments: str) -> Outcome:
    """Run it to its end. `yard` is what `hooks` reads."""
    yard_file, tally_file, output_file = (scratch / name for name in ("yard.json", "tally.json", "output.txt"))
    yard_file.write_text(json.dumps(yard))
    identities_file = scratch / "identities.yaml"
    identities_file.write_text(json.dumps({"auth": [_identity(name) for name in (TESTER, NEIGHBOUR)]}))
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.conformance.hooks",
        "PYTHONPATH": str(ROOT),
        "CONFORMANCE_YARD": str(yard_file),
        "CONFORMANCE_TALLY": str(tally_file),
        "CONFORMANCE_IDENTITIES": str(identities_file),
        "NO_PROXY": "*",
    }
    common = ("--checks", "all", "--continue-on-failure", "--workers", "1")
    common += ("--suppress-health-check", "all", "--request-timeout", "60")  # a slow machine is no deviation
    with output_file.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(*SCHEMATHESIS, f"{yard['url']}/openapi.json", *common, *arguments),
            env=environment,
            cwd=scratch,
            stdout=output,
            stderr=output,
        )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    return Outcome(status, output_file.read_text(), _tally(tally_file))


def _identity(name: str) -> dict[str, Any]:
    """As Schemathesis reads them: a document of the Web Fuzzing Commons."""
    return {"name": name, "fixedHeaders": [{"name": "X-API-Key", "value": KEYS[name]}]}


def _tally(file: Path) -> dict[str, dict[str, int]]:
    tally: dict[str, dict[str, int]] = defaultdict(dict)
    for name, count in json.loads(file.read_text()).items():
        operation, _, status = name.partition(" ")
        tally[operation][status] = count
    return dict(tally)
