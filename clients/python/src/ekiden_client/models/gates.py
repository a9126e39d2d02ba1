"""A gate: what a session stops at until somebody has looked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from ekiden_client.models.document import Document, Inputs
from ekiden_client.models.forecast import Calls
from ekiden_client.models.money import Cost
from ekiden_client.models.words import GateDefault, GateDefaultWord, StepWord


class GateTimeout(Document):
    """How long each gate of a session waits for an answer, and what happens then."""

    after_seconds: int
    then: GateDefaultWord = GateDefault.STOP


class Gate(Document):
    """A gate as the status shows it; `id` names it in an answer, `items` wait behind it to be bought."""

    id: str = ""
    position: str = ""
    since: datetime | None = None
    due_at: datetime | None = None
    on_timeout: GateDefaultWord | None = None
    items: tuple[Any, ...] = ()
    forecast: Calls = Calls()
    cached: int = 0
    saved_usd: float = 0.0
    url: str = ""


class FoundSource(Document):
    url: str
    title: str | None = None
    date: str | None = None


class Found(Document):
    """The newest result before a gate; with `shortened`, long texts in it were cut. `missing` got no answer."""

    phase: int
    step: StepWord
    title: str = ""
    result: Any = None
    shortened: bool = False
    missing: tuple[str, ...] = ()
    sources: tuple[FoundSource, ...] = ()


class GateAction(Document):
    """An answer that the gate takes, and where to send which body."""

    action: str
    description: str = ""
    method: str = "POST"
    url: str = ""
    body: Mapping[str, Any] = Field(default_factory=dict[str, Any])


class WholeGate(Gate):
    """A gate with its evidence and its price: `forecast` to the next step, `phase` and `to_end` beyond it."""

    session_id: str | None = None
    language: str = ""
    input: Inputs = Field(default_factory=dict[str, str | int | bool | tuple[str, ...]])
    found: Found | None = None
    cost: Cost = Cost()
    phase: Calls = Calls()
    to_end: Calls = Calls()
    budget_short_usd: float = 0.0
    actions: tuple[GateAction, ...] = ()


class GateLink(Document):
    """A one-time link: `url` for a person, `api_url` for a program. Whoever has it may answer."""

    gate: str
    url: str
    api_url: str = ""
    expires_at: datetime
