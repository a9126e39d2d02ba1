"""What something would cost and take."""

from datetime import datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from ekiden.domain.session import GateDefault
from ekiden_gateway.models.wire import EXAMPLE_GATE, EXAMPLE_TASK, EXAMPLE_TIME, Answered

_CALLS: JsonDict = {"calls": {"perplexity": 3}, "atMostUsd": 0.18, "seconds": 71.5}


class CallsAnswer(Answered):
    """Calls by provider, the most they may cost once each, and how long they take; `seconds` null if not measured."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CALLS]})

    calls: dict[str, int]
    at_most_usd: float
    seconds: float | None


class ForecastAnswer(Answered):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tasks": [EXAMPLE_TASK],
                    "abandoned": [],
                    "kept": ["1.THINK"],
                    "reservedUsd": 0.06,
                    "seconds": 71.5,
                    "cached": 0,
                    "savedUsd": 0.0,
                    "now": _CALLS,
                    "toEnd": {"calls": {"perplexity": 3, "gpt": 9}, "atMostUsd": 0.28, "seconds": 130.0},
                }
            ]
        }
    )

    tasks: list[str] = Field(description="Tasks that would be ordered at once")
    abandoned: list[str] = Field(description="Tasks that would not be waited for any more")
    kept: list[str] = Field(description="Steps whose results stay")
    reserved_usd: float = Field(description="Set aside for the ordered tasks, repeated calls included")
    seconds: float | None = Field(description="Until what is ordered at once is done; null if not measured")
    cached: int = Field(description="Searches among them whose answer is there already; in no other number")
    saved_usd: float = Field(description="What those cost when they were bought")
    now: CallsAnswer
    to_end: CallsAnswer


class Gate(Answered):
    """A gate the session stands at: what waits behind it, at which price, and for how long."""

    id: str = Field(description="Which gate, and which one it is that the session came to", examples=[EXAMPLE_GATE])
    position: str = Field(description="The step behind it", examples=["1.EXECUTE"])
    since: datetime = Field(examples=[EXAMPLE_TIME])
    due_at: datetime | None = Field(description="Until when it waits for an answer; null: for ever")
    on_timeout: GateDefault | None = Field(description="What happens then")
    items: list[object] = Field(
        description="Of a fan-out: what would be asked, and may be edited", examples=[[{"question": "What changed?"}]]
    )
    forecast: CallsAnswer = Field(description="The step behind it")
    cached: int = Field(examples=[1], description="items whose answer is there already and costs nothing")
    saved_usd: float = Field(examples=[0.01], description="what those cost when they were bought")
    url: str = Field(description="Where it is shown whole, and answered")
