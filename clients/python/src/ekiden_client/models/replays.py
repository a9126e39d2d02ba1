"""What a replay would reuse and buy."""

from ekiden_client.models.document import Document
from ekiden_client.models.forecast import Calls


class ReplayStep(Document):
    """A step of the replay: the calls it makes at most, and how many of them are on record."""

    position: str
    calls: int = 0
    recorded: int = 0
    saved_usd: float = 0.0


class ReplayForecast(Document):
    """What a replay of `session_id` under the version `workflow` would do; `existing` is the one there is already."""

    session_id: str
    workflow: str
    existing: str | None = None
    recorded: int = 0
    saved_usd: float = 0.0
    to_buy: Calls = Calls()
    budget_usd: float = 0.0
    steps: tuple[ReplayStep, ...] = ()
