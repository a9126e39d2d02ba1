"""What something would cost and take."""

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from ekiden_gateway.models.wire import EXAMPLE_TASK, Answered

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
    """What waits behind a gate: the items of a fan-out, which may be edited, and their price."""

    position: str = Field(examples=["1.EXECUTE"])
    items: list[object] = Field(examples=[[{"question": "What changed this week?"}]])
    forecast: CallsAnswer
    cached: int = Field(examples=[1], description="items whose answer is there already and costs nothing")
    saved_usd: float = Field(examples=[0.01], description="what those cost when they were bought")
