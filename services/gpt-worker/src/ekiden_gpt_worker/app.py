"""The composition root: settings in, adapter built, worker out."""

from ekiden.worker.http import ProviderClient
from ekiden.worker.service import WorkerService
from ekiden_gpt_worker.openai_chat import OpenAIChat
from ekiden_gpt_worker.settings import GptWorkerSettings


def build(settings: GptWorkerSettings) -> WorkerService:
    key = settings.api_key.get_secret_value().strip()
    client = ProviderClient(settings.base_url, {"Authorization": f"Bearer {key}"}, connections=settings.concurrency)
    adapter = OpenAIChat(client, settings.gpt_model, deadline_seconds=settings.gpt_deadline_seconds)
    return WorkerService(settings, adapter)
