"""What an agent run finds and says, the tokens it takes and what it costs (`providers.md` 2.1)."""

from dataclasses import dataclass
from typing import TypeVar

from ekiden_simulator.answers import SearchResult
from ekiden_simulator.perplexity_fields import AgentRequest
from ekiden_simulator.prices import AGENT_PRICES, FAST_SEARCH_USD, WEB_SEARCH_USD, agent_cost
from ekiden_simulator.tokens import cut, estimate
from ekiden_simulator.world import World

_Item = TypeVar("_Item")

_CONTEXT_TOKENS = {"low": 3000, "medium": 8000, "high": 16000}
"""Input tokens that one call of the search tool brings in. The low one is a captured run's (3,426 in all); the others
are set so that a run costs what runs were measured to cost, 0.01 to 0.03 USD."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of the search tool: one `search_results` item."""

    queries: list[str]
    results: list[SearchResult]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and dollars of a run. Searches come first, so a run that stops early still pays for them."""

    input_tokens: int
    output_tokens: int
    searches: int
    input_cost: float
    output_cost: float
    tool_cost: float

    @property
    def total_cost(self) -> float:
        """USD for the whole run."""
        return round(self.input_cost + self.output_cost + self.tool_cost, 5)

    def without_output(self) -> "Usage":
        """Return what a run that wrote nothing has used."""
        return Usage(self.input_tokens, 0, self.searches, self.input_cost, 0.0, self.tool_cost)

    def to_json(self) -> dict[str, object]:
        """Return `usage`, sparse: a detail that is zero is not there. The tool's billing name is `search_web`."""
        usage: dict[str, object] = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }
        cost: dict[str, object] = {
            "currency": "USD",
            "input_cost": self.input_cost,
            "output_cost": self.output_cost,
        }
        if self.searches:
            details = {"invocation": self.searches, "cost_usd": self.tool_cost}
            usage["tool_calls_details"] = {"search_web": details}
            cost["tool_calls_cost"] = self.tool_cost
            cost["tool_calls_cost_details"] = {"search_web": self.tool_cost}
        return {**usage, "cost": {**cost, "total_cost": self.total_cost}}


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished run. `truncated` when the text ran into `max_output_tokens`."""

    calls: list[ToolCall]
    text: str
    truncated: bool
    usage: Usage


def answer(request: AgentRequest, world: World) -> Answer:
    """Return what a run answers: always the same for the same request."""
    found = world.search(request.prompt)
    calls = _tool_calls(request, found.queries, found.results)
    wanted = request.response_format.json_schema if request.response_format else None
    if wanted is None:
        text = found.text
    else:
        asked = [{"role": "user", "content": request.prompt}]
        text = world.complete(wanted.name, wanted.schema_, asked)
    tokens, limit = estimate(text), request.output_limit
    truncated = limit is not None and tokens > limit
    if limit is not None and truncated:
        text, tokens = cut(text, limit), limit
    return Answer(calls, text, truncated, _usage(request, len(calls), tokens))


def _tool_calls(request: AgentRequest, queries: list[str], results: list[SearchResult]) -> list[ToolCall]:
    """Share queries and results out over as many calls as the request allows, in order."""
    tool = request.web_search
    limit = len(queries) if request.max_tool_calls is None else request.max_tool_calls
    count = min(len(queries), limit)
    if tool is None or request.tool_choice == "none" or count == 0:
        return []
    return [
        ToolCall(_share(queries, number, count), _share(results, number, count)[: tool.max_results])
        for number in range(count)
    ]


def _share(items: list[_Item], number: int, count: int) -> list[_Item]:
    return items[len(items) * number // count : len(items) * (number + 1) // count]


def _usage(request: AgentRequest, searches: int, output_tokens: int) -> Usage:
    tool = request.web_search
    price = AGENT_PRICES[request.resolved_model]
    per_search = FAST_SEARCH_USD if tool and tool.search_type == "fast" else WEB_SEARCH_USD
    context = _CONTEXT_TOKENS[tool.search_context_size or "medium"] if tool else 0
    input_tokens = estimate(request.sent) + searches * context
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        searches=searches,
        input_cost=agent_cost(input_tokens, price.input),
        output_cost=agent_cost(output_tokens, price.output),
        tool_cost=round(searches * per_search, 5),
    )
