"""The composition root: settings in, adapter built, worker out."""

import structlog

from ekiden.worker.http import ProviderClient
from ekiden.worker.service import WorkerService
from ekiden_gpt_worker.openai_chat import OpenAIChat
from ekiden_gpt_worker.settings import GptWorkerSettings

log = structlog.get_logger()


def build(settings: GptWorkerSettings) -> WorkerService:
    key = settings.api_key.get_secret_value().strip()
    client = ProviderClient(settings.base_url, {"Authorization": f"Bearer {key}"}, connections=settings.concurrency)
    if not settings.price_list.knows(settings.gpt_model):
        log.warning("price_not_found", model=settings.gpt_model)
    adapter = OpenAIChat(
        client,
        settings.gpt_model,
        deadline_seconds=settings.gpt_deadline_seconds,
        dialect=settings.dialect,
        prices=settings.price_list,
    )
    return WorkerService(settings, adapter)
