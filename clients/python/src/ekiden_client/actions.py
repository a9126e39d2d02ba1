"""What can be said to a session beside starting it, as data: `say` does it, `foresee` tells what it would do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Item = str | Mapping[str, str]
"""An item of a fan-out, such as a question to search for; a text stands for its `question`."""
Wish = dict[str, object]


class Action(Protocol):
    @property
    def verb(self) -> str:
        """The last part of the address it is sent to."""
        ...

    def wish(self) -> Wish:
        """The body it is sent with."""
        ...


class _Word:
    """A command that says everything by its name."""

    verb = ""

    def wish(self) -> Wish:
        return {}


@dataclass(frozen=True)
class Pause(_Word):
    """Stop behind the step that runs; its calls run to their end and are kept."""

    verb = "pause"


@dataclass(frozen=True)
class Resume(_Word):
    """Go on after a pause."""

    verb = "resume"


@dataclass(frozen=True)
class Cancel(_Word):
    """End the session, also at the providers; what was bought is kept and paid."""

    verb = "cancel"


class _Answer:
    verb = "gate"


@dataclass(frozen=True)
class AnswerGate(_Answer):
    """Answer the gate with the id `gate`, as `sessions.gate` shows it; a later gate is never answered in its place.

    `items` are for `edit`: they are bought in place of what was planned.
    """

    gate: str
    decision: Literal["approve", "edit", "rerun", "stop"]
    items: Sequence[Item] | None = None

    def wish(self) -> Wish:
        found: Wish = {"gate": self.gate, "decision": self.decision}
        return found | ({"input": list(self.items)} if self.items else {})


class _Recovery:
    verb = "recover"


@dataclass(frozen=True)
class Retry(_Recovery):
    """Order the failed tasks of the step again; every result is kept."""

    def wish(self) -> Wish:
        return {"action": "retry"}


@dataclass(frozen=True)
class RestartPhase(_Recovery):
    """Do a phase and all that follow again; `fresh` buys its searches anew, `items` are put in place of the planned."""

    phase: int
    items: Sequence[Item] | None = None
    fresh: bool = False

    def wish(self) -> Wish:
        found: Wish = {"action": "restart_phase", "phaseNumber": self.phase}
        return found | ({"input": list(self.items)} if self.items else {}) | ({"fresh": True} if self.fresh else {})


@dataclass(frozen=True)
class RestartSession(_Recovery):
    """Begin a new session with the same input, linked to this one; the answer is about the new one."""

    def wish(self) -> Wish:
        return {"action": "restart_session"}


@dataclass(frozen=True)
class Resolve(_Recovery):
    """Decide about one call of which nobody can say whether it was bought.

    `run_id` is for `attach`: the provider's id; the one on record when it is None.
    """

    task_id: str
    decision: Literal["resend", "give_up", "attach"]
    run_id: str | None = None

    def wish(self) -> Wish:
        found: Wish = {"action": "resolve", "taskId": self.task_id, "decision": self.decision}
        return found | ({"runId": self.run_id} if self.run_id else {})


@dataclass(frozen=True)
class ResolveAll(_Recovery):
    """Decide about all calls of the session of which nobody can say whether they were bought."""

    decision: Literal["resend", "give_up"]

    def wish(self) -> Wish:
        return {"action": "resolve_all", "decision": self.decision}
