"""Canaries: secrets that nobody uses for anything else. Every stack that a test starts is given some, and where it
leaves anything behind (logs, metrics, messages, documents) none of them may be found when it ends.
"""

import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import create_connection
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ekiden.log_events import LEVELS
from ekiden_native import Program, Stack

PATIENCE_SECONDS = 5.0
EVENTS = frozenset(event for events in LEVELS.values() for event in events)
SPEAKING_JSON = ("gateway-", "orchestrator-", "gpt-worker-", "perplexity-worker-")
CRASHED_ON_PURPOSE = "crashing at "
"""What `ekiden.crashpoints` says instead of a log line: the process ends before it could."""
Found = Iterator[str]


def canary(of: str) -> str:
    return f"canary-{of}-{secrets.token_hex(12)}"


CANARIES: Mapping[str, Mapping[str, str]] = {
    "gpt-worker": {"OPENAI_API_KEY": canary("openai")},
    "perplexity-worker": {"PERPLEXITY_API_KEY": canary("perplexity")},
    "gateway": {"EKIDEN_API_KEYS": f"somebody:{canary('gateway')}:read", "EKIDEN_AUTH": "off"},
    "orchestrator": {"OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={canary('collector')}"},
}
"""By service, as its environment has them. The gateway stays open: it reads its keys and asks nobody for one.

A stack that is started with keys of its own has the canary among them, and is locked.
"""
SECRETS = frozenset(
    part
    for variables in CANARIES.values()
    for value in variables.values()
    for part in value.replace("=", ":").split(":")
    if part.startswith("canary-")
)


def with_canaries(programs: Mapping[str, Program], api_keys: str = "") -> dict[str, Program]:
    given = dict(CANARIES)
    if api_keys:
        given["gateway"] = {"EKIDEN_API_KEYS": f"{api_keys},{CANARIES['gateway']['EKIDEN_API_KEYS']}"}
    return {name: _told(program, given.get(name, {})) for name, program in programs.items()}


def _told(program: Program, variables: Mapping[str, str]) -> Program:
    assignments = [f"{name}={value}" for name, value in variables.items()]
    return replace(program, command=("/usr/bin/env", *assignments, *program.command)) if assignments else program


@dataclass
class Search:
    """What was searched, and what should not have been found."""

    stacks: int = 0
    pages: int = 0
    documents: int = 0
    size: int = 0
    found: list[str] = field(default_factory=list[str])

    def stack_up(self, stack: Stack) -> None:
        """Search what a stack shows only while it is up. Parts that a test has stopped cannot be asked."""
        addresses = stack.env
        self.found += self._metrics(addresses)
        if "EKIDEN_MONGODB_URL" in addresses and _answers(addresses["EKIDEN_MONGODB_URL"]):
            with suppress(PyMongoError):
                self.found += self._documents(addresses["EKIDEN_MONGODB_URL"])

    def stack_down(self, root: Path) -> None:
        """Search the files it leaves: logs, and the broker's messages. The database's are compressed."""
        self.stacks += 1
        for path in root.rglob("*"):
            if path.is_file() and "mongod" not in path.relative_to(root).parts:
                self.found += self._file(path)

    def text(self, where: str, text: bytes) -> Found:
        self.size += len(text)
        yield from (f"{secret} in {where}" for secret in SECRETS if secret.encode() in text)

    def _metrics(self, addresses: Mapping[str, str]) -> Found:
        targets = dict(word.split("=", 1) for word in addresses.get("EKIDEN_METRICS_TARGETS", "").split())
        for name, address in targets.items():
            with suppress(URLError, OSError), urlopen(f"http://{address}/metrics", timeout=PATIENCE_SECONDS) as page:
                self.pages += 1
                yield from self.text(f"the metrics of {name}", page.read())

    def _documents(self, url: str) -> Found:
        patience = round(PATIENCE_SECONDS * 1000)
        with MongoClient[RawBSONDocument](
            url, document_class=RawBSONDocument, serverSelectionTimeoutMS=patience, timeoutMS=4 * patience
        ) as client:
            for name in set(client.list_database_names()) - {"admin", "config", "local"}:
                for collection in client[name].list_collection_names():
                    for document in client[name][collection].find():
                        self.documents += 1
                        yield from self.text(f"a document of {name}.{collection}", bytes(document.raw))

    def _file(self, path: Path) -> Found:
        try:
            text = path.read_bytes()
        except OSError:
            return
        yield from self.text(str(path), text)
        if path.suffix == ".log" and path.name.startswith(SPEAKING_JSON):
            yield from odd_lines(str(path), text.decode("utf-8", "replace").splitlines())


def _answers(url: str) -> bool:
    """Whether a server listens there: the driver would wait long for one that a test has stopped."""
    address = urlsplit(url)
    with suppress(OSError), create_connection((address.hostname, address.port), timeout=1):
        return True
    return False


def odd_lines(where: str, lines: Iterable[str]) -> Found:
    """Lines of a service's log that are no event of the table, one JSON object each."""
    for number, line in enumerate(lines, 1):
        if line.startswith(CRASHED_ON_PURPOSE):
            continue
        try:
            said: Any = json.loads(line)
        except ValueError:
            yield f"{where}:{number} is no JSON: {line[:200]}"
        else:
            if not isinstance(said, dict) or said.get("event") not in EVENTS:
                yield f"{where}:{number} is no event of the table: {line[:200]}"


if __name__ == "__main__":  # to look at a stack's files by hand: python -m tests.canaries .local
    search = Search()
    search.stack_down(Path(sys.argv[1]))
    sys.exit("\n".join(search.found))
