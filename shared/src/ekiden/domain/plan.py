"""What the decision needs to know of a workflow: the order of positions and what each step costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from ekiden.domain.ids import Micros, Position
from ekiden.domain.provider import Provider as Provider  # part of a plan, and known from here by many


@dataclass(frozen=True)
class Source:
    """Who is asked for a step's answers: a provider, and its model where the workflow names one.

    `paid_calls` is how many calls of one task its policies may pay for.
    """

    provider: Provider
    model: str | None = None
    paid_calls: int = 1

    def __str__(self) -> str:
        return f"{self.provider} {self.model}" if self.model else self.provider


@dataclass(frozen=True)
class StepPlan:
    """One step of the workflow.

    `for_each` names the list of an earlier result that the step fans out over, as `(step key, field)`;
    `cap` is the most one call may cost, `paid_calls` how many its policies may pay for. `fallback` are those who are
    asked, one after the other, when a step would fail otherwise.
    """

    position: Position
    provider: Provider
    cap: Micros
    paid_calls: int = 1
    for_each: tuple[str, str] | None = None
    at_most: int = 1
    min_success: int | None = None
    model: str | None = None
    fallback: tuple[Source, ...] = ()

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Its own, and behind it those it falls back to."""
        return (Source(self.provider, self.model, self.paid_calls), *self.fallback)

    def source(self, fallback: int) -> Source:
        """Who is asked after so many have failed."""
        return self.sources[min(fallback, len(self.fallback))]

    def reservation(self, fallback: int = 0) -> Micros:
        """The most one task may cost there."""
        return Micros(self.cap * self.source(fallback).paid_calls)

    def enough(self, ordered: int) -> int:
        """How many of `ordered` tasks must succeed: what the workflow says, else all but one."""
        if self.for_each is None:
            return ordered
        wanted = self.min_success if self.min_success is not None else max(1, ordered - 1)
        return min(wanted, ordered)


@dataclass(frozen=True)
class Plan:
    """The one table of positions, in their order. Phases without an EXECUTE simply have no row for it."""

    steps: tuple[StepPlan, ...]

    @cached_property
    def by_position(self) -> Mapping[Position, StepPlan]:
        return {step.position: step for step in self.steps}

    @cached_property
    def phases(self) -> int:
        return max(step.position.phase for step in self.steps)

    @cached_property
    def _following(self) -> Mapping[Position, Position | None]:
        order = [step.position for step in self.steps]
        return dict(zip(order, [*order[1:], None], strict=True))

    def first(self, phase: int = 1) -> Position:
        return next(step.position for step in self.steps if step.position.phase == phase)

    def after(self, position: Position) -> Position | None:
        """The position that follows, or None behind the last one."""
        return self._following[position]

    def from_(self, position: Position) -> list[Position]:
        """The position and all that follow it."""
        order = [step.position for step in self.steps]
        return order[order.index(position) :]

    def items(
        self, position: Position, results: Mapping[str, object], edited: Mapping[str, list[object]]
    ) -> list[object]:
        """What a step's tasks are made for: one entry per task; `[None]` for a step of one call.

        A person's edited list stands in place of the one an earlier step planned.
        """
        step = self.by_position[position]
        if step.for_each is None:
            return [None]
        if position.key in edited:
            return list(edited[position.key])
        source, field = step.for_each
        planned = cast("Mapping[str, list[object]]", results[source])[field]
        return planned[: step.at_most]
