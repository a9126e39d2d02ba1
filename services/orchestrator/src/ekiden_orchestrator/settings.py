"""What the orchestrator reads from its environment."""

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ekiden.settings import WebhookSettings


class OrchestratorSettings(WebhookSettings):
    service: ClassVar[str] = "orchestrator"

    retention_days: float | None = Field(default=None, gt=0, description="off keeps everything")
    fallback_seconds: float = Field(default=60.0, ge=0, description="a breaker is open so long before others are asked")
    scheduler: Literal["on", "off"] = Field(default="off", description="whether the clock may begin sessions")

    @property
    def retention(self) -> timedelta | None:
        """How long what is finished is kept; never shorter than its searches may serve as cached ones."""
        if self.retention_days is None:
            return None
        return max(timedelta(days=self.retention_days), timedelta(seconds=self.search_cache_seconds))

    @field_validator("retention_days", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return None if value in {"", "off"} else value
