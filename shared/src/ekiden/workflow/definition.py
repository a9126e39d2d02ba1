"""The form of `workflow.yaml`: what a workflow says of itself, checked by pydantic and frozen."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ekiden.domain.ids import Micros, Position, Step
from ekiden.domain.plan import Plan, Source, StepPlan
from ekiden.domain.provider import Provider
from ekiden.retry import PAID_CALLS, UnknownOutcome

Text = Mapping[str, str]
"""The same text in each language: `{ja: …, en: …}`."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(_Part):
    """One thing `create` accepts. Without `required` the default is taken."""

    type: Literal["string"] = "string"
    required: bool = False
    default: str = ""
    enum: tuple[str, ...] | None = None
    max_length: int = Field(default=2000, gt=0)


class Fallback(_Part):
    """Who is asked when all before have failed; without `model` by the one that its worker is set to."""

    provider: Provider
    model: str | None = Field(default=None, min_length=1)


class StepDefinition(_Part):
    """One step: a call, or with `for_each` one call per item of an earlier answer's list.

    `cap_usd` is the most one call may cost; a search's limits go into its request so that it holds.
    """

    provider: Provider
    prompt: str
    schema_name: str | None = Field(default=None, alias="schema")
    model: str | None = None
    fallback: tuple[Fallback, ...] = ()
    for_each: str | None = None
    at_most: int = Field(default=5, ge=1, le=20)
    min_success: int | None = Field(default=None, ge=0)
    max_output_tokens: int = Field(ge=16)
    max_tool_calls: int | None = Field(default=None, ge=1)
    max_steps: int | None = Field(default=None, ge=1, le=100)
    cap_usd: float = Field(gt=0)


class Phase(_Part):
    name: Name
    title: Text
    think: StepDefinition
    execute: StepDefinition | None = None
    integrate: StepDefinition

    def step(self, step: Step) -> StepDefinition | None:
        return {Step.THINK: self.think, Step.EXECUTE: self.execute, Step.INTEGRATE: self.integrate}[step]


class Drafts(_Part):
    """How the last results become drafts: draft field ← `<phase>.<step>.<list>.<field>`, joined by `key`."""

    count: int = Field(ge=1, le=20)
    key: str
    fields: Mapping[str, str]


class Thread(_Part):
    """Posts that follow one another. Each holds `max_length`, or without it as much as a single post."""

    max_posts: int = Field(ge=2, le=100)
    max_length: int | None = Field(default=None, gt=0)


class Platform(_Part):
    """A platform's conventions, told to the model and checked on the output.

    `hashtags` is [fewest, most]; `full_width` is what a full-width character counts for (X counts it as 2). With
    `thread` a text too long for one post becomes several. `links` says where an address goes: into the body, into a
    reply, or nowhere because it cannot be tapped.
    """

    max_length: int = Field(gt=0)
    full_width: int = Field(default=1, ge=1, le=2)
    hashtags: tuple[int, int] = (0, 30)
    thread: Thread | None = None
    links: Literal["body", "reply", "none"] = "body"
    notes: Text = Field(default_factory=dict)


class Definition(_Part):
    name: Name
    version: int = Field(ge=1)
    title: Text
    description: Text
    inputs: Mapping[str, Input]
    languages: tuple[str, ...] = Field(min_length=1)
    budget_usd: float = Field(gt=0)
    phases: tuple[Phase, ...] = Field(min_length=1)
    drafts: Drafts
    platforms: Mapping[str, Platform] = Field(default_factory=dict)

    def step(self, position: Position) -> StepDefinition:
        found = self.phases[position.phase - 1].step(position.step)
        if found is None:
            raise KeyError(str(position))
        return found

    def positions(self) -> list[Position]:
        return [
            Position(number, step)
            for number, phase in enumerate(self.phases, 1)
            for step in Step
            if phase.step(step) is not None
        ]

    def step_key(self, path: str) -> str:
        """`trend_research.think` → `1T`. Raises KeyError when the workflow has no such step."""
        phase, _, step = path.partition(".")
        for position in self.positions():
            if self.phases[position.phase - 1].name == phase and position.step.lower() == step:
                return position.key
        raise KeyError(path)

    def plan(self, policies: Mapping[Provider, UnknownOutcome]) -> Plan:
        """What the decision needs of this workflow, with the paid calls that each provider's policy allows."""
        return Plan(tuple(self._step_plan(position, policies) for position in self.positions()))

    def _step_plan(self, position: Position, policies: Mapping[Provider, UnknownOutcome]) -> StepPlan:
        step = self.step(position)
        source = None
        if step.for_each:
            path, _, field = step.for_each.rpartition(".")
            source = (self.step_key(path), field)
        return StepPlan(
            position=position,
            provider=step.provider,
            cap=Micros(round(step.cap_usd * 1_000_000)),
            paid_calls=_paid_calls(step.provider, policies),
            model=step.model,
            fallback=tuple(Source(f.provider, f.model, _paid_calls(f.provider, policies)) for f in step.fallback),
            for_each=source,
            at_most=step.at_most,
            min_success=step.min_success,
        )


def _paid_calls(provider: Provider, policies: Mapping[Provider, UnknownOutcome]) -> int:
    return PAID_CALLS[provider.kind, policies[provider]]
