"""The faults that can be scripted: what each is called, where it can strike, and its own arguments.

`operation: null` means every operation for the faults of a reply (`status`, `rate_limit`, `delay`, `html_error`), and
the one in `unasked` for the others: what spoils an acceptance or an answer is decided when the call is submitted.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from ekiden_simulator.provider import Operation, Provider

_EVERY = frozenset(Operation)
_SUBMIT = frozenset({Operation.SUBMIT})
_SUBMIT_OR_POLL = frozenset({Operation.SUBMIT, Operation.POLL})
_BOTH = frozenset(Provider)
_PERPLEXITY = frozenset({Provider.PERPLEXITY})


class FaultScope(BaseModel):
    """Whom a fault strikes, and how often. It strikes a request only when everything named here fits."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, allow_inf_nan=False
    )

    providers: ClassVar[frozenset[Provider]] = _BOTH
    operations: ClassVar[frozenset[Operation]] = _EVERY
    unasked: ClassVar[frozenset[Operation]] = _SUBMIT

    provider: Provider | None = None
    operation: Operation | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    """How many requests it strikes before it is used up; null is for ever."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    match: str | None = None
    """Part of the task id; null is any, also a request without one."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.provider is not None and self.provider not in self.providers:
            raise ValueError(f"not a fault of {self.provider.value}")
        if self.operation is not None and self.operation not in self.operations:
            raise ValueError(f"not a fault of operation {self.operation.value}")
        return self

    def fits(self, provider: Provider, operation: Operation, task_id: str | None) -> bool:
        """Tell whether this fault may strike such a request; chance and count come after."""
        return (
            provider in self.providers
            and (self.provider is None or self.provider is provider)
            and (operation in self.unasked if self.operation is None else operation is self.operation)
            and (self.match is None or self.match in (task_id or ""))
        )


class Status(FaultScope):
    """Answer an HTTP error in the provider's own JSON. A known `code` (or Perplexity `type`) fills in the rest."""

    unasked = _EVERY
    kind: Literal["status"]
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: str | None = None
    type: str | None = None
    message: str | None = None
    param: str | None = None
    retry_after: Annotated[float, Field(ge=0)] | None = None
    accepted: bool = False
    """Book the call and answer the error all the same."""


class RateLimited(FaultScope):
    """Answer 429. `retryAfter` (seconds) becomes OpenAI's header, when given; Perplexity never sends one."""

    unasked = _EVERY
    kind: Literal["rate_limit"]
    retry_after: Annotated[float, Field(ge=0)] | None = None


class Delay(FaultScope):
    """Answer later by so many real seconds. An accepted call is on the bill before the wait. Adds to other faults."""

    unasked = _EVERY
    kind: Literal["delay"]
    seconds: Annotated[float, Field(ge=0)]


class AcceptThenCut(FaultScope):
    """Do what was asked, booking it, then close the connection without a reply."""

    kind: Literal["accept_then_cut"]
    reset: bool = False
    """TCP reset instead of an orderly end of file."""


class CutBeforeAccept(FaultScope):
    """Close the connection without a reply, having done nothing."""

    kind: Literal["cut_before_accept"]
    reset: bool = False


class TruncatedJson(FaultScope):
    """Cut off the answer's text (`content`), or the whole reply (`body`): HTTP 200, but no JSON."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["truncated_json"]
    where: Literal["content", "body"] = "content"


class FencedJson(FaultScope):
    """Wrap the answer's text in a Markdown fence."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["fenced_json"]


class BadSchema(FaultScope):
    """Answer JSON that fits no schema."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["bad_schema"]


class Refusal(FaultScope):
    """Answer 200 with `message.refusal` and no content."""

    providers = frozenset({Provider.OPENAI})
    operations = _SUBMIT
    kind: Literal["refusal"]
    message: str = "I'm sorry, I can't assist with that request."


class Length(FaultScope):
    """Run out of output tokens: `finish_reason` length and empty content, or an `incomplete` run without output."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["length"]


class SlowPoll(FaultScope):
    """Keep a run unfinished for so many polls, or so many real seconds, longer than it would be."""

    providers = _PERPLEXITY
    operations = _SUBMIT_OR_POLL
    kind: Literal["slow_poll"]
    polls: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0


class FailedRun(FaultScope):
    """End the run as `failed` (HTTP 200), with part of its cost. `usage: false` hides that part from the client."""

    providers = _PERPLEXITY
    operations = _SUBMIT_OR_POLL
    kind: Literal["failed_run"]
    type: str = "internal_error"
    message: str = "The response could not be generated."
    usage: bool = True


class HtmlError(FaultScope):
    """Answer a gateway's HTML page, with 200 too. `accepted` tells whether the call behind it was booked."""

    unasked = _EVERY
    kind: Literal["html_error"]
    status: Annotated[int, Field(ge=200, le=599)] = 502
    accepted: bool = False


class Redirect(FaultScope):
    """Send the caller elsewhere, as a gateway does. `accepted` tells whether the call was booked all the same."""

    unasked = _EVERY
    kind: Literal["redirect"]
    status: Literal[301, 302, 303, 307, 308] = 307
    accepted: bool = False


class EmptyReply(FaultScope):
    """Do what was asked, booking it, and answer success with no body at all."""

    kind: Literal["empty_reply"]
    status: Literal[200, 202, 204] = 200


class SlowDrip(FaultScope):
    """Do what was asked, booking it, and let the reply trickle out, a byte every so many real seconds."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["slow_drip"]
    seconds: Annotated[float, Field(gt=0)] = 1.0


class HugeReply(FaultScope):
    """Do what was asked, booking it, and send so many bytes of blanks before the reply."""

    operations = _SUBMIT_OR_POLL
    kind: Literal["huge_reply"]
    size: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024


class NoSources(FaultScope):
    """Answer without any `search_results` item."""

    providers = _PERPLEXITY
    operations = _SUBMIT_OR_POLL
    kind: Literal["no_sources"]


class UnknownRun(FaultScope):
    """Answer a poll with 404, as if the run had never been."""

    providers = _PERPLEXITY
    operations = frozenset({Operation.POLL})
    unasked = frozenset({Operation.POLL})
    kind: Literal["unknown_run"]


Fault = Annotated[
    Status
    | RateLimited
    | Delay
    | AcceptThenCut
    | CutBeforeAccept
    | TruncatedJson
    | FencedJson
    | BadSchema
    | Refusal
    | Length
    | SlowPoll
    | FailedRun
    | HtmlError
    | Redirect
    | EmptyReply
    | SlowDrip
    | HugeReply
    | NoSources
    | UnknownRun,
    Field(discriminator="kind"),
]
"""Any fault; `kind` tells which."""
