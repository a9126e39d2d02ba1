"""The form of `workflow.yaml`: what a workflow says of itself, checked by pydantic and frozen.

Every key's description is shown in `docs/workflows.md`, which is made from them.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ekiden.domain.ids import Micros, Position, Step
from ekiden.domain.plan import Plan, Source, StepPlan
from ekiden.domain.provider import Provider
from ekiden.retry import PAID_CALLS, UnknownOutcome
from ekiden.workflow.inputs import Input

Text = Mapping[str, str]
"""The same text in each language: `{ja: …, en: …}`."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Variable = Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,63}$")]
"""A name that templates can write after a dot."""
MOST_NAMED = 100
LONGEST_CACHE_SECONDS = 30 * 86_400


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fallback(_Part):
    """Who is asked when all before have failed; without `model` by the one that its worker is set to."""

    provider: Provider = Field(description="Who is asked instead")
    model: str | None = Field(default=None, min_length=1, description="By which model; else the worker's own")


class Shorten(_Part):
    """What a prompt keeps of long evidence when its step is ordered again because it was too long.

    The texts of searches are cut for the template. Templates cut lists of sources themselves, by `shorten.sources`.
    """

    characters: int | None = Field(default=None, ge=100, description="Most characters of each search's text")
    sources: int | None = Field(
        default=None, ge=1, description="Most sources of each search; templates know it as `shorten.sources`"
    )


class StepDefinition(_Part):
    """One step: a call, or with `for_each` one call per item of an earlier answer's list.

    `cap_usd` is the most one call may cost; a search's limits go into its request so that it holds.
    """

    provider: Provider = Field(
        description="Who is called: one of text, such as `gpt`, in THINK and INTEGRATE; one of searches, such as "
        "`perplexity`, in EXECUTE; or one that `EKIDEN_PROVIDERS` adds"
    )
    prompt: str = Field(description="The template `prompts/<language>/<prompt>.md.j2`")
    schema_name: str | None = Field(
        default=None, alias="schema", description="The form of the answer, `schemas/<schema>.json`; not for searches"
    )
    model: str | None = Field(default=None, min_length=1, description="The model; else the one its worker is set to")
    params: Mapping[str, JsonValue] = Field(
        default_factory=dict, description="Provider parameters, see the table of parameters"
    )
    fallback: tuple[Fallback, ...] = Field(
        default=(), max_length=5, description="Who is asked, one after the other, when the step would fail otherwise"
    )
    for_each: str | None = Field(
        default=None, description="The list an EXECUTE fans out over, `<phase>.<step>.<list>` of an earlier answer"
    )
    at_most: int = Field(default=5, ge=1, le=20, description="Most calls of a fan-out; further items are left out")
    min_success: int | None = Field(
        default=None, ge=0, description="How many calls of a fan-out must succeed; all but one unless said otherwise"
    )
    max_output_tokens: int = Field(
        ge=16, le=1_000_000, description="Most tokens of an answer, a reasoning model's thinking included"
    )
    max_tool_calls: int | None = Field(default=None, ge=1, le=1000, description="Most web searches within one call")
    max_steps: int | None = Field(default=None, ge=1, le=100, description="Most rounds of a search agent")
    cache_seconds: float | None = Field(
        default=None,
        ge=0,
        le=LONGEST_CACHE_SECONDS,
        description="How old an identical search may be to be used again; 0 buys each anew; "
        "else `EKIDEN_SEARCH_CACHE_SECONDS`",
    )
    shorten: Shorten = Field(
        default_factory=Shorten, description="What is kept when the step is ordered again from a shorter prompt"
    )
    cap_usd: float = Field(gt=0, le=1000, description="The most one call may cost, in USD: reserved before it is sent")


class Phase(_Part):
    """A phase: THINK, perhaps EXECUTE, INTEGRATE."""

    name: Variable = Field(description="The name by which templates and paths know its results")
    title: Text = Field(description="What people read, in each language")
    think: StepDefinition = Field(description="The call that plans")
    execute: StepDefinition | None = Field(default=None, description="The searches, one for each planned item")
    integrate: StepDefinition = Field(description="The call that gives the results their form")

    def step(self, step: Step) -> StepDefinition | None:
        return {Step.THINK: self.think, Step.EXECUTE: self.execute, Step.INTEGRATE: self.integrate}[step]


class Gates(_Part):
    """Where every session waits for a person, unless it says otherwise when it is created."""

    pause_after_phases: tuple[int, ...] = Field(default=(), description="Phases, by number; not the last")
    pause_before: tuple[str, ...] = Field(default=(), description="Steps, as `1.EXECUTE`")


class Drafts(_Part):
    """How the last results become drafts: draft field ← `<phase>.<step>.<list>.<field>`, joined by `key`."""

    count: int = Field(ge=1, le=20, description="How many drafts a session makes")
    key: str = Field(description="The integer field, 1 to `count`, that joins the rows of one draft")
    fields: Mapping[str, str] = Field(
        min_length=1,
        max_length=MOST_NAMED,
        description="Each field of a draft and where it comes from, `<phase>.<step>.<list>.<field>`",
    )


class Thread(_Part):
    """Posts that follow one another. Each holds `max_length`, or without it as much as a single post."""

    max_posts: int = Field(ge=2, le=100, description="Most posts of a thread")
    max_length: int | None = Field(default=None, gt=0, description="Most characters of each; else as of a single post")


class Platform(_Part):
    """A platform's conventions, told to the model and checked on the output.

    `hashtags` is [fewest, most]; `full_width` is what a full-width character counts for (X counts it as 2). With
    `thread` a text too long for one post becomes several. `links` says where an address goes: into the body, into a
    reply, or nowhere because it cannot be tapped.
    """

    max_length: int = Field(gt=0, description="Most characters of a post, as the platform counts them")
    full_width: int = Field(default=1, ge=1, le=2, description="What a full-width character counts for")
    hashtags: tuple[int, int] = Field(default=(0, 30), description="Fewest and most hashtags")
    thread: Thread | None = Field(default=None, description="How many posts a text that is too long may become")
    links: Literal["body", "reply", "none"] = Field(
        default="body", description="Where an address goes: into the post, into a reply, or nowhere"
    )
    notes: Text = Field(default_factory=dict, description="Conventions told to the model, in each language")


class Definition(_Part):
    """A workflow."""

    name: Name = Field(description="The workflow's name, by which sessions ask for it")
    version: int = Field(ge=1, description="Your number; sessions keep the exact content they started with anyway")
    title: Text = Field(description="What people read, in each language")
    description: Text = Field(description="What it does, in a sentence or two, in each language")
    inputs: Mapping[Variable, Input] = Field(max_length=MOST_NAMED, description="What `create` accepts, by name")
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")], ...] = Field(
        min_length=1, max_length=20, description="Languages of its prompts; the first is the default"
    )
    budget_usd: float = Field(
        gt=0, le=1000, description="Budget of a session that names none; covers the worst case of one pass, in USD"
    )
    gates: Gates = Field(default_factory=Gates, description="Where sessions wait for a person")
    phases: tuple[Phase, ...] = Field(min_length=1, max_length=20, description="The phases, in their order")
    drafts: Drafts = Field(description="What comes out")
    platforms: Mapping[str, Platform] = Field(
        default_factory=dict, max_length=MOST_NAMED, description="Conventions by the value of the input `platform`"
    )

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
        return self._keys[path]

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        return {f"{self.phases[at.phase - 1].name}.{at.step.lower()}": at.key for at in reversed(self.positions())}

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
