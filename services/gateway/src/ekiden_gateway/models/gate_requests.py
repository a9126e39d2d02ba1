"""What people ask for at a gate."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonValue

from ekiden_gateway.models.requests import LONGEST_WAIT_SECONDS, GateName, Items, Whole
from ekiden_gateway.models.wire import EXAMPLE_GATE, Asked

_DECISIONS: list[JsonValue] = [
    {"properties": {"decision": {"const": "edit"}, "input": {"type": "array"}}, "required": ["decision", "input"]},
    {"properties": {"decision": {"const": "rerun"}}},
    {"properties": {"decision": {"enum": ["approve", "stop"]}, "input": {"type": "null"}}},
]
Name = Annotated[
    str, StringConstraints(max_length=80, pattern=r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$")
]


class GateDecision(Asked):
    """What shall become of the session at its gate.

    approve: go on as planned. edit: go on with `input` in place of the planned items. rerun: do the phase that the
    gate shows again, where it has items with `input` in their place. stop: cancel the session.
    """

    decision: Literal["approve", "edit", "rerun", "stop"]
    input: Items | None = None

    @model_validator(mode="after")
    def _input_where_it_belongs(self) -> Self:
        if self.decision == "edit" and self.input is None:
            raise ValueError("edit needs input: the items in place of the planned ones")
        if self.decision in {"approve", "stop"} and self.input is not None:
            raise ValueError("input is for edit and rerun")
        return self


class AnswerGate(GateDecision):
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": _DECISIONS,
            "examples": [
                {"gate": EXAMPLE_GATE, "decision": "approve"},
                {"gate": EXAMPLE_GATE, "decision": "edit", "input": ["What changed this week?"]},
            ],
        }
    )

    gate: GateName


class AnswerGateByLink(GateDecision):
    model_config = ConfigDict(
        json_schema_extra={"anyOf": _DECISIONS, "examples": [{"decision": "approve", "who": "Aiko"}]}
    )

    who: Name = Field(default="", description="The name that the session's history shall show")


class CreateGateLink(Asked):
    """A link that answers the gate at which the session stands, once, for whoever has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"gate": EXAMPLE_GATE, "expiresInSeconds": 3600}]})

    gate: GateName | None = None
    expires_in_seconds: Whole = Field(
        default=3 * 86_400, ge=60, le=LONGEST_WAIT_SECONDS, description="It ends sooner where the gate does"
    )
