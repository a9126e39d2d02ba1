"""The session doctor's answers."""

from pydantic import Field

from ekiden_gateway.models.forecast import ForecastAnswer
from ekiden_gateway.models.wire import EXAMPLE_SESSION, Answered


class EvidenceAnswer(Answered):
    """What something the session depends on is doing."""

    about: str = Field(examples=["queue"], description="task, provider or queue")
    subject: str = Field(examples=["perplexity"], description="A task's id, or a provider")
    says: str = Field(examples=["3 messages wait, 0 workers to take them."])


class Health(Answered):
    is_healthy: bool = Field(description="It goes on by itself, has ended well, or waits as it was asked to")
    summary: str = Field(
        examples=["1.EXECUTE is under way and waits for 3 tasks: 3 submitted since 2026-11-22T09:30:01Z."]
    )
    issues: list[str]
    recommendations: list[str]
    evidence: list[EvidenceAnswer]
    at_risk_usd: float = Field(description="What calls with an unknown outcome may cost a second time", examples=[0.0])


class AvailableAction(Answered):
    """Something that would move the session, and where to say it."""

    action: str = Field(examples=["retry"])
    description: str = Field(examples=["Order the failed tasks again; every result is kept."])
    method: str | None = Field(examples=["POST"])
    url: str | None = Field(examples=[f"/api/viral/cot-session/{EXAMPLE_SESSION}/recover"])
    forecast: ForecastAnswer | None = None


class HealthAnswer(Answered):
    session_id: str = Field(examples=[EXAMPLE_SESSION])
    health: Health
    available_actions: list[AvailableAction]
