"""What people ask for."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from ekiden.webhooks.events import EventKind
from ekiden.webhooks.guard import LONGEST_URL, PUBLIC, WRITTEN
from ekiden_gateway.models.parts import DraftStatus
from ekiden_gateway.models.wire import EXAMPLE_GATE, EXAMPLE_SESSION, Asked

MOST_ITEMS = 20


def whole(number: object) -> object:
    """JSON does not tell 2.0 from 2."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = Annotated[int, BeforeValidator(whole)]
Usd = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False, description="USD, to the millionth")]
Word = Annotated[str, StringConstraints(max_length=100)]
Wish = Annotated[str, StringConstraints(max_length=100_000)]
"""An input; its workflow says how long it may be."""
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
_METADATA_KEY = r"^[A-Za-z0-9_-]{1,64}$"
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=_METADATA_KEY)],
        Annotated[str, StringConstraints(max_length=500)],
    ],
    Field(max_length=50),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": _METADATA_KEY},
            "additionalProperties": {"type": "string", "maxLength": 500},
            "maxProperties": 50,
        }
    ),
]
WebhookUrl = Annotated[
    str,
    StringConstraints(pattern=WRITTEN, max_length=LONGEST_URL),
    AfterValidator(lambda url: str(HttpUrl(url))),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_URL, "pattern": PUBLIC}),
]
"""What can be one. Whether this gateway takes it, its settings say; the schema tells what every gateway takes."""
TaskId = Annotated[str, StringConstraints(pattern=r"^ses_[0-9a-f]{32}\.[0-9]{1,4}[TEI]\.g[0-9]{1,6}\.[0-9]{1,4}$")]


def _nulls(*names: str) -> JsonDict:
    """A schema that wants these fields left out; null is as good."""
    return {"properties": {name: {"type": "null"} for name in names}}


GateName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(after:[1-9][0-9]?|before:[1-9][0-9]?\.(THINK|EXECUTE|INTEGRATE))(@[0-9]{1,6})?$", max_length=40
    ),
    Field(
        description="The gate it is about, as `gate` of async-status names it; without `@` and number the same place, "
        "whichever time the session came to it. 409 when the session stands at another one",
        examples=[EXAMPLE_GATE],
    ),
]
LONGEST_WAIT_SECONDS = 90 * 86_400


class GateTimeout(Asked):
    """How long each gate waits for an answer, and what happens then. Without it a gate waits for ever."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"afterSeconds": 86_400, "then": "stop"}]})

    after_seconds: Whole = Field(ge=1, le=LONGEST_WAIT_SECONDS)
    then: Literal["approve", "stop"] = Field(
        description="approve: go on as planned, within the budget. stop: cancel the session"
    )


class CreateSession(Asked):
    """A workflow's inputs stand beside the fields below; which ones there are says `GET /api/workflows`."""

    model_config = ConfigDict(
        extra="allow",
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

    theme: Wish | None = Field(default=None, description="What it shall be about")
    expertise: Wish | None = Field(
        default=None, description="Old name of `theme`", json_schema_extra={"deprecated": True}
    )
    style: Wish | None = None
    platform: Wish | None = None
    workflow: Word | None = Field(default=None, description="Name of a workflow; `viral-content` when left out")
    language: Word | None = Field(default=None, description="The workflow's first language when left out")
    auto_advance: bool = Field(default=True, description="false: wait for approval after every phase")
    pause_after_phases: list[Whole] = Field(
        default_factory=list[int], max_length=100, description="As the workflow's `gates` say when left out"
    )
    pause_before: list[Word] = Field(
        default_factory=list[str],
        max_length=100,
        description='Steps, e.g. "1.EXECUTE"; as the workflow\'s `gates` say when left out',
    )
    gate_timeout: GateTimeout | None = None
    budget_usd: Usd | None = None
    webhook_url: WebhookUrl | None = Field(
        default=None, description="Told what happens to this session: the webhook of all sessions that name it"
    )
    metadata: Metadata = Field(default_factory=dict[str, str])
    start: bool = Field(default=False, description="Start at once")


class Nothing(Asked):
    """A word that needs no body: none, or `{}`. A field would be a misunderstanding."""


class ContinueSession(Asked):
    """`{}` passes a gate or a wait; `input` edits the items before that; `taskId` applies a finished task again.

    With `gate` it is about that gate and nothing else.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_nulls("taskId"), _nulls("input", "budgetUsd", "gate")],
            "examples": [
                {},
                {"gate": EXAMPLE_GATE, "input": ["What changed this week?"]},
                {"budgetUsd": 2.0},
                {"taskId": f"{EXAMPLE_SESSION}.1T.g1.0"},
            ],
        }
    )

    input: Items | None = None
    budget_usd: Usd | None = None
    task_id: TaskId | None = None
    gate: GateName | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "ContinueSession":
        beside = (self.input, self.budget_usd, self.gate)
        if self.task_id is not None and any(value is not None for value in beside):
            raise ValueError("taskId stands alone: it only applies a task again")
        return self


class RetryStep(Asked):
    """Order the failed tasks of the step again; every result is kept."""

    action: Literal["retry"]
    dry_run: bool = False


class RestartFromPhase(Asked):
    """Do a phase and all that follow again; later results become history."""

    action: Literal["restart_phase"]
    phase_number: Whole = Field(ge=1, le=100)
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

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [_nulls("runId"), {"properties": {"decision": {"const": "attach"}}}]}
    )

    action: Literal["resolve"]
    task_id: TaskId
    decision: Literal["resend", "give_up", "attach"]
    run_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.:-]{1,200}$",
        description="For attach: the provider's id; left out, the one the ledger has",
    )
    dry_run: bool = False

    @model_validator(mode="after")
    def _run_to_attach(self) -> "ResolveTask":
        if self.run_id is not None and self.decision != "attach":
            raise ValueError("runId is for attach, and for nothing else")
        return self


class ResolveAll(Asked):
    """A person's word on all calls of a session of which nobody can say whether they were bought.

    `resend` collects those whose run is on record and orders the others again; a session that was restored from a
    backup buys from then on what it orders, as any other does. `give_up` is only about those there are now.
    """

    action: Literal["resolve_all"]
    decision: Literal["resend", "give_up"]
    dry_run: bool = False


Recovery = Annotated[
    RetryStep | RestartFromPhase | RestartSession | CheckHealth | ResolveTask | ResolveAll,
    Field(discriminator="action"),
]


class EditDraft(Asked):
    """A person's changes to a draft. An edited text makes a DRAFT an EDITED one."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "examples": [{"editedContent": "…", "status": "SCHEDULED"}]}
    )

    edited_content: Annotated[str, StringConstraints(max_length=50_000)] | None = Field(
        default=None, description="null goes back to what the session wrote"
    )
    status: Annotated[DraftStatus, Field(strict=False)] = DraftStatus.DRAFT

    @model_validator(mode="after")
    def _something(self) -> "EditDraft":
        if not self.model_fields_set:
            raise ValueError("name at least one of editedContent and status")
        return self


Events = Annotated[
    list[Annotated[EventKind, Field(strict=False)]],
    Field(min_length=1, max_length=len(EventKind), description="The kinds it hears of"),
]


class CreateWebhook(Asked):
    """An address that is told what happens to all of your sessions, from now on."""

    url: WebhookUrl = Field(examples=["https://example.com/ekiden"])
    events: Events | None = Field(default=None, description="null or left out: all, later ones too")


class EditWebhook(Asked):
    """A change to a webhook. Enabled again it is told of what happens from then on."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "examples": [{"events": ["session.completed"]}, {"enabled": False}]}
    )

    url: WebhookUrl = ""
    events: Events | None = Field(default=None, description="null: all")
    enabled: bool = True

    @model_validator(mode="after")
    def _something(self) -> "EditWebhook":
        if not self.model_fields_set:
            raise ValueError("name at least one of url, events and enabled")
        return self
