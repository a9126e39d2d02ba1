"""The composition root: settings in, adapter built, worker out."""

from ekiden.worker.http import ProviderClient
from ekiden.worker.service import WorkerService
from ekiden_perplexity_worker.perplexity_agent import PerplexityAgent
from ekiden_perplexity_worker.settings import PerplexityWorkerSettings


def build(settings: PerplexityWorkerSettings) -> WorkerService:
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value().strip()}"}
    adapter = PerplexityAgent(
        ProviderClient(settings.base_url, headers, connections=settings.concurrency, reuse=False),
        ProviderClient(settings.base_url, headers, connections=settings.concurrency),
        settings.perplexity_preset or settings.perplexity_model,
        preset=settings.perplexity_preset is not None,
    )
    return WorkerService(
        settings,
        adapter,
        cache_seconds=settings.search_cache_seconds,
        poll_seconds=settings.perplexity_poll_seconds,
    )
