"""What the perplexity-worker reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr

from ekiden.settings import WorkerSettings, named


class PerplexityWorkerSettings(WorkerSettings):
    service: ClassVar[str] = "perplexity-worker"

    concurrency: int = Field(default=256, ge=1, validation_alias=named("EKIDEN_PERPLEXITY_CONCURRENCY"))
    rate_per_minute: float | None = Field(
        default=50.0,
        gt=0,
        validation_alias=named("EKIDEN_PERPLEXITY_RATE_PER_MINUTE"),
        description="`unlimited`, or the limit of the account's tier (tier 0: 50 a minute)",
    )
    api_key: SecretStr = Field(validation_alias=named("PERPLEXITY_API_KEY"))
    base_url: str = Field(
        default="https://api.perplexity.ai",
        validation_alias=named("PERPLEXITY_BASE_URL"),
        description="the Agent API stands at {base}/v1/agent",
    )
    perplexity_model: str = "perplexity/sonar"
    perplexity_preset: str | None = Field(default=None, description="fast, low, medium, …; stands before the model")
    perplexity_poll_seconds: float | None = Field(default=None, gt=0, description="fixed; else by the median")
