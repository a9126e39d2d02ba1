"""What sessions can be created with."""

from collections.abc import Mapping

from pydantic import Field

from ekiden_client.models.document import Document


class WorkflowInput(Document):
    """An input; its type is `string`, `integer`, `boolean` or `list`, a list of strings."""

    type: str = "string"
    required: bool = False
    default: str | int | bool | tuple[str, ...] = ""
    enum: tuple[str | int, ...] | None = None
    max_length: int = 0
    minimum: int = 0
    maximum: int = 0
    max_items: int = 0


class WorkflowGates(Document):
    """Where a session waits for a person when it says nothing else."""

    pause_after_phases: tuple[int, ...] = ()
    pause_before: tuple[str, ...] = ()


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
    gates: WorkflowGates = WorkflowGates()
    phases: tuple[WorkflowPhase, ...] = ()
    drafts: int = 0
