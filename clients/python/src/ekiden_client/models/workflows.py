"""What sessions can be created with."""

from collections.abc import Mapping

from pydantic import Field

from ekiden_client.models.document import Document


class WorkflowInput(Document):
    required: bool = False
    default: str = ""
    enum: tuple[str, ...] | None = None
    max_length: int = 0


class WorkflowPhase(Document):
    number: int
    name: str = ""
    title: Mapping[str, str] = Field(default_factory=dict[str, str])
    steps: tuple[str, ...] = ()


class Workflow(Document):
    id: str
    name: str = ""
    version: int = 0
    title: Mapping[str, str] = Field(default_factory=dict[str, str])
    description: Mapping[str, str] = Field(default_factory=dict[str, str])
    languages: tuple[str, ...] = ()
    inputs: Mapping[str, WorkflowInput] = Field(default_factory=dict[str, WorkflowInput])
    budget_usd: float = 0.0
    phases: tuple[WorkflowPhase, ...] = ()
    drafts: int = 0
