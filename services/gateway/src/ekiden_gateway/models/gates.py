"""A gate, as whoever shall answer it needs to see it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ekiden.domain.ids import Step
from ekiden.domain.session import InputValue, Status, WaitingReason
from ekiden_gateway.models.forecast import CallsAnswer, Gate
from ekiden_gateway.models.sessions import Cost
from ekiden_gateway.models.wire import EXAMPLE_GATE, EXAMPLE_SESSION, EXAMPLE_TIME, Answered

EXAMPLE_LINK = "https://ekiden.example/gates/glk_WyIwMTk5Yz….signature"
Decision = Literal["approve", "edit", "rerun", "stop"]


class Source(Answered):
    url: str = Field(examples=["https://example.com/news"])
    title: str | None = None
    date: str | None = None


class Found(Answered):
    """What the step before the gate brought; long texts and lists are cut, and `shortened` then."""

    phase: int = Field(examples=[1])
    step: Step = Field(examples=["INTEGRATE"])
    title: str = Field(description="The phase's, in the session's language", examples=["トレンド調査"])
    result: object
    shortened: bool
    missing: list[str] = Field(description="Questions of the phase that found no answer")
    sources: list[Source] = Field(description="What searches returned so far, those of this phase first")


class GateAction(Answered):
    """One of the answers, and how to give it: `body` is an example that may be sent as it is."""

    action: Decision
    description: str
    method: str = Field(examples=["POST"])
    url: str = Field(examples=[f"/api/viral/cot-session/{EXAMPLE_SESSION}/gate"])
    body: dict[str, object] = Field(examples=[{"gate": EXAMPLE_GATE, "decision": "approve"}])


class GateAnswer(Gate):
    """A closed gate: what was found before it, what that cost, what going on would cost, and what can be done."""

    session_id: str | None = Field(description="Not told to who comes with a link", examples=[EXAMPLE_SESSION])
    language: str = Field(examples=["ja"])
    input: dict[str, InputValue] = Field(description="What the session is about", examples=[{"theme": "AIと働き方"}])
    found: Found | None = Field(description="null before the first step")
    cost: Cost
    phase: CallsAnswer = Field(description="From the gate to the end of the phase behind it")
    to_end: CallsAnswer = Field(description="From the gate to the end of the session")
    budget_short_usd: float = Field(description="By how much the budget is too small for the step behind it")
    actions: list[GateAction]


class GateLink(Answered):
    """A link that answers one gate once. Whoever has it needs no key: send it as you would a key."""

    gate: str = Field(examples=[EXAMPLE_GATE])
    url: str = Field(description="For people, under the address that this request came to", examples=[EXAMPLE_LINK])
    api_url: str = Field(description="For programs", examples=[EXAMPLE_LINK.replace("/gates/", "/api/gates/")])
    expires_at: datetime = Field(examples=[EXAMPLE_TIME])


class GateAnswered(Answered):
    """What became of the gate. `status` is the session's."""

    gate: str = Field(examples=[EXAMPLE_GATE])
    decision: Decision
    who: str = Field(examples=["Aiko"])
    status: Status = Field(examples=["EXECUTING"])
    waiting_reason: WaitingReason | None = Field(
        description="`budget`: it was passed, and goes on when the budget is raised"
    )
