"""Ids are made from what a thing is, so that ordering the same work twice names the same task."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Self

SessionId = NewType("SessionId", str)
TaskId = NewType("TaskId", str)
ScheduleId = NewType("ScheduleId", str)
RunId = NewType("RunId", str)
Micros = NewType("Micros", int)
"""Money inside: whole micro-dollars. USD is for the outside only."""
NOTHING = Micros(0)

SESSION_ID_PATTERN = r"^ses_[0-9a-f]{32}$"
SCHEDULE_ID_PATTERN = r"^sch_[0-9a-f]{32}$"
_TASK_ID = re.compile(r"^(ses_[0-9a-f]{32})\.(\d+)([TEI])\.g(\d+)\.(\d+)$")


class Step(StrEnum):
    THINK = "THINK"
    EXECUTE = "EXECUTE"
    INTEGRATE = "INTEGRATE"


_STEPS = {step[0]: step for step in Step}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a workflow: phase 1…n and one of its steps, written `1.EXECUTE`."""

    phase: int
    step: Step

    def __str__(self) -> str:
        return f"{self.phase}.{self.step}"

    @property
    def key(self) -> str:
        """The short form used in task ids and documents: `1E`."""
        return f"{self.phase}{self.step[0]}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.EXECUTE` or `1E`. Raises ValueError for anything else."""
        phase, _, name = text.partition(".")
        step = Step(name) if name else _STEPS.get(text[-1:])
        if step is None:
            raise ValueError(f"{text!r} is no position")
        return cls(int(phase if name else text[:-1]), step)


@dataclass(frozen=True, slots=True)
class TaskName:
    """What a task id says: `<session>.<phase><T|E|I>.g<generation>.<index>`."""

    session: SessionId
    position: Position
    generation: int
    index: int

    @property
    def id(self) -> TaskId:
        return TaskId(f"{self.session}.{self.position.key}.g{self.generation}.{self.index}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a task id. Raises ValueError when it is none."""
        found = _TASK_ID.match(text)
        if not found:
            raise ValueError(f"{text!r} is no task id")
        session, phase, letter, generation, index = found.groups()
        return cls(SessionId(session), Position.parse(phase + letter), int(generation), int(index))
