"""The bodies of problems (RFC 9457), for the OpenAPI document: `problems.response` makes them."""

from pydantic import ConfigDict, Field

from ekiden.domain.session import Status, WaitingReason
from ekiden_gateway.models.wire import Answered


class ProblemAnswer(Answered):
    """What went wrong. `type` is a path of this gateway, where the kind of problem is explained."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    type: str = Field(pattern=r"^/problems/[a-z-]+$", examples=["/problems/unknown-session"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="This time's reason, and where there is one what helps")
    instance: str = Field(description="The path that was asked")
    request_id: str = Field(description="Also in X-Request-ID, and in every line of the log")


class FieldMistake(Answered):
    field: str = Field(description="A body's field as `a.0.b`, a parameter's or a header's name", examples=["theme"])
    message: str = Field(examples=["is required"])


class InvalidAnswer(ProblemAnswer):
    """A malformed request, with every mistake; without `errors` when the mistake is in no field."""

    errors: list[FieldMistake] = Field(default_factory=list[FieldMistake])


class Way(Answered):
    """Something that would work instead."""

    action: str = Field(examples=["continue"])
    method: str = Field(examples=["POST"])
    url: str
    description: str = Field(examples=["Pass the gate and go on."])


class ConflictAnswer(ProblemAnswer):
    """A command that the session's state does not allow; the last three members only when it is about that."""

    session_status: Status | None = None
    waiting_reason: WaitingReason | None = None
    what_works: list[Way] = Field(default_factory=list[Way])


class ProblemPage(Answered):
    """What a kind of problem means."""

    type: str = Field(examples=["/problems/unknown-session"])
    status: int = Field(examples=[404])
    title: str = Field(examples=["There is no such session"])
    meaning: str
    remedy: str


class ProblemPages(Answered):
    items: list[ProblemPage]
    next_cursor: str | None = None
