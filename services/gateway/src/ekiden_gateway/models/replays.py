"""A replay: what is asked for, and what it would buy."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from ekiden_gateway.models.forecast import CallsAnswer
from ekiden_gateway.models.requests import Usd
from ekiden_gateway.models.wire import EXAMPLE_SESSION, Answered, Asked

_WORKFLOW = r"^[a-z][a-z0-9_-]{0,63}(@[0-9a-f]{16})?$"


class ReplaySession(Asked):
    """Run a workflow on the recorded answers of a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"workflow": "viral-content", "dryRun": True}]})

    workflow: (
        Annotated[
            str,
            StringConstraints(pattern=_WORKFLOW),
            Field(description="A name, as its folder is now, or a version's id; without it the session's by name"),
        ]
        | None
    ) = None
    budget_usd: Usd | None = None
    dry_run: bool = False


class ReplayStep(Answered):
    """A step of the replay: the calls it makes at most, and how many of them are on record."""

    position: str = Field(examples=["4.THINK"])
    calls: int
    recorded: int
    saved_usd: float = Field(description="What the recorded ones cost when they were bought")


class ReplayForecast(Answered):
    """What a replay would reuse and buy; nothing was done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sessionId": EXAMPLE_SESSION,
                    "workflow": "viral-content@0123456789abcdef",
                    "dryRun": True,
                    "existing": None,
                    "recorded": 9,
                    "savedUsd": 0.031,
                    "toBuy": {"calls": {"gpt": 4}, "atMostUsd": 0.05, "seconds": 48.0},
                    "budgetUsd": 1.0,
                    "steps": [{"position": "4.THINK", "calls": 1, "recorded": 0, "savedUsd": 0.0}],
                }
            ]
        }
    )

    session_id: str = Field(description="Whose answers it would run on")
    workflow: str = Field(description="The version that would run")
    dry_run: bool = True
    existing: str | None = Field(description="The replay of this version that is there already: it is answered again")
    recorded: int = Field(description="Calls that are on record, and cost nothing")
    saved_usd: float
    to_buy: CallsAnswer = Field(description="Calls to be bought, at most: those that changed, and what rests on them")
    budget_usd: float
    steps: list[ReplayStep]
