"""What people ask for."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, HttpUrl, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from ekiden_gateway.models.wire import EXAMPLE_SESSION, Asked

MOST_ITEMS = 20
Usd = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Item = Text | dict[str, Text]
Items = Annotated[
    list[Item],
    Field(
        min_length=1,
        max_length=MOST_ITEMS,
        description="The step's items in place of the planned ones, e.g. edited questions; a text is its `question`",
    ),
]
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
TaskId = Annotated[str, Field(pattern=r"^ses_[0-9a-f]{32}\.\d{1,4}[TEI]\.g\d{1,6}\.\d{1,4}$")]


class CreateSession(Asked):
    """A workflow's inputs stand beside the fields below; which ones there are says `GET /api/workflows`."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"theme": "AIと働き方", "style": "insight", "platform": "twitter", "start": True},
                {
                    "theme": "AI and work",
                    "style": "education",
                    "platform": "linkedin",
                    "language": "en",
                    "budgetUsd": 0.5,
                    "pauseBefore": ["1.EXECUTE"],
                    "metadata": {"campaign": "autumn"},
                },
            ]
        },
    )

    theme: str | None = Field(default=None, description="What it shall be about")
    expertise: str | None = Field(
        default=None, description="Old name of `theme`", json_schema_extra={"deprecated": True}
    )
    style: str | None = None
    platform: str | None = None
    workflow: str | None = Field(default=None, description="Name of a workflow; `viral-content` when left out")
    language: str | None = Field(default=None, description="The workflow's first language when left out")
    auto_advance: bool = Field(default=True, description="false: wait for approval after every phase")
    pause_after_phases: list[int] = Field(default_factory=list[int], max_length=100)
    pause_before: list[str] = Field(default_factory=list[str], max_length=100, description='Steps, e.g. "1.EXECUTE"')
    budget_usd: Usd | None = None
    webhook_url: HttpUrl | None = Field(default=None, description="Stored with the session")
    metadata: dict[MetadataKey, Annotated[str, StringConstraints(max_length=500)]] = Field(
        default_factory=dict[str, str], max_length=50
    )
    start: bool = Field(default=False, description="Start at once")


class ContinueSession(Asked):
    """`{}` passes a gate or a wait; `input` edits the items before that; `taskId` applies a finished task again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {},
                {"input": ["What changed this week?"]},
                {"budgetUsd": 2.0},
                {"taskId": f"{EXAMPLE_SESSION}.1T.g1.0"},
            ]
        }
    )

    input: Items | None = None
    budget_usd: Usd | None = None
    task_id: TaskId | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "ContinueSession":
        if self.task_id is not None and (self.input is not None or self.budget_usd is not None):
            raise ValueError("taskId stands alone: it only applies a task again")
        return self


class RetryStep(Asked):
    """Order the failed tasks of the step again; every result is kept."""

    action: Literal["retry"]
    dry_run: bool = False


class RestartFromPhase(Asked):
    """Do a phase and all that follow again; later results become history."""

    action: Literal["restart_phase"]
    phase_number: int = Field(ge=1, le=100)
    input: Items | None = None
    fresh: bool = Field(default=False, description="Buy searches anew instead of taking them from the cache")
    dry_run: bool = False


class RestartSession(Asked):
    """Begin a new session with the same input, linked to this one."""

    action: Literal["restart_session"]
    dry_run: bool = False


class CheckHealth(Asked):
    """Only look, as `GET recover` does."""

    action: Literal["health_check"]
    dry_run: bool = False


class ResolveTask(Asked):
    """A person's word on a call of which nobody can say whether it was bought."""

    action: Literal["resolve"]
    task_id: TaskId
    decision: Literal["resend", "give_up", "attach"]
    run_id: str | None = Field(default=None, pattern=r"^[\w.:-]{1,200}$", description="For attach: the provider's id")
    dry_run: bool = False

    @model_validator(mode="after")
    def _run_to_attach(self) -> "ResolveTask":
        if (self.decision == "attach") != (self.run_id is not None):
            raise ValueError("runId is needed for attach, and for nothing else")
        return self


Recovery = Annotated[
    RetryStep | RestartFromPhase | RestartSession | CheckHealth | ResolveTask, Field(discriminator="action")
]


class EditDraft(Asked):
    """A person's changes to a draft. An edited text makes a DRAFT an EDITED one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"editedContent": "…", "status": "SCHEDULED"}]})

    edited_content: Annotated[str, StringConstraints(max_length=50_000)] | None = None
    status: Literal["DRAFT", "EDITED", "SCHEDULED", "POSTED", "ARCHIVED"] | None = None

    @model_validator(mode="after")
    def _something(self) -> "EditDraft":
        if not self.model_fields_set:
            raise ValueError("name at least one of editedContent and status")
        if "status" in self.model_fields_set and self.status is None:
            raise ValueError("status cannot be removed")
        return self
