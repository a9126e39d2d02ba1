"""The session doctor's answers."""

from ekiden_client.models.document import Document
from ekiden_client.models.forecast import Forecast


class Evidence(Document):
    """What something the session depends on is doing."""

    about: str = ""
    subject: str = ""
    says: str = ""


class Health(Document):
    """`is_healthy`: it goes on by itself, has ended well, or waits as it was asked to."""

    is_healthy: bool
    summary: str = ""
    issues: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    at_risk_usd: float = 0.0


class AvailableAction(Document):
    """Something that would move the session, and where to say it."""

    action: str
    description: str = ""
    method: str | None = None
    url: str | None = None
    forecast: Forecast | None = None


class HealthReport(Document):
    session_id: str
    health: Health
    available_actions: tuple[AvailableAction, ...] = ()
