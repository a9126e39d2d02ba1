"""Ekiden's own workers with a provider that answers at once: `python benchmarks/instant.py gpt-worker`.

For `make bench` only. Everything but the provider's wire is what ships: what is measured is Ekiden's part of a call.
"""

import sys
from dataclasses import dataclass
from typing import Any

from ekiden.domain.plan import Provider
from ekiden.log import configure_logging
from ekiden.process import run
from ekiden.settings import WorkerSettings, read_settings
from ekiden.worker.adapter import Call, Running
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed, Usage
from ekiden.worker.service import WorkerService
from ekiden_gpt_worker.settings import GptWorkerSettings
from ekiden_perplexity_worker.settings import PerplexityWorkerSettings

GPT_ANSWER: dict[str, Any] = {"items": ["a" * 100, "b" * 100, "c" * 100], "rows": [{"n": 1, "title": "d" * 40}]}
SEARCH_ANSWER: dict[str, Any] = {"text": "a" * 400, "sources": []}
"""400 bytes each, as all contestants' answers."""
KINDS: dict[str, type[WorkerSettings]] = {
    "gpt-worker": GptWorkerSettings,
    "perplexity-worker": PerplexityWorkerSettings,
}


@dataclass(frozen=True)
class AtOnce:
    """Implements `worker.adapter.Adapter`."""

    provider: Provider
    result: dict[str, Any]

    async def submit(self, call: Call, fence: Fence) -> Completed:
        fence.check()
        return Completed(self.result, self.result, Usage(100, 100, price="none", model="at once", simulated=True))

    async def collect(self, run_id: str) -> Completed | Running:
        raise NotImplementedError("its calls end when they are submitted")

    async def cancel(self, run_id: str) -> None:
        raise NotImplementedError("its calls end when they are submitted")

    async def close(self) -> None:
        pass


def main() -> None:
    kind = KINDS[sys.argv[1]]
    settings = read_settings(kind)
    configure_logging(settings.service, settings.log_level, settings.log_format, settings.secrets)
    searches = kind is PerplexityWorkerSettings
    adapter = AtOnce(*(Provider.PERPLEXITY, SEARCH_ANSWER) if searches else (Provider.GPT, GPT_ANSWER))
    service = WorkerService(settings, adapter, cache_seconds=settings.search_cache_seconds if searches else 0.0)
    run(service, name=settings.service, host=settings.metrics_host, port=settings.metrics_port)


if __name__ == "__main__":
    main()
