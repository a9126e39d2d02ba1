"""What the gpt-worker reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr

from ekiden.settings import WorkerSettings, named


class GptWorkerSettings(WorkerSettings):
    service: ClassVar[str] = "gpt-worker"

    concurrency: int = Field(default=64, ge=1, validation_alias=named("EKIDEN_GPT_CONCURRENCY"))
    rate_per_minute: float | None = Field(default=None, gt=0, validation_alias=named("EKIDEN_GPT_RATE_PER_MINUTE"))
    api_key: SecretStr = Field(validation_alias=named("OPENAI_API_KEY"))
    base_url: str = Field(
        default="https://api.openai.com/v1",
        validation_alias=named("OPENAI_BASE_URL"),
        description="any server that speaks Chat Completions; ends in /v1",
    )
    gpt_model: str = "gpt-6-luna"
    gpt_deadline_seconds: float = Field(default=300.0, gt=0, description="from the first byte to the last of one call")
