"""What the gpt-worker reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from ekiden.prices import PriceList, read_prices
from ekiden.settings import WorkerSettings, named
from ekiden_gpt_worker.dialect import Dialect, Form, LimitField


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
    gpt_structured_output: Form = Field(default=Form.JSON_SCHEMA, description="where a server's way begins")
    gpt_limit_field: LimitField = LimitField.MAX_COMPLETION_TOKENS
    gpt_prices: str = Field(default="", description="model=in/out, comma-separated; USD per million tokens")

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.gpt_structured_output, self.gpt_limit_field)

    @property
    def price_list(self) -> PriceList:
        return PriceList(read_prices(self.gpt_prices), self.base_url)

    @field_validator("gpt_prices")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        read_prices(value)
        return value
