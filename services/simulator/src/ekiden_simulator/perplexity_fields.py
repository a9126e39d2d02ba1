"""The fields of an Agent API request (`providers.md` 2.1), and what follows from them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

PRESET_MODELS = {
    "fast": "openai/gpt-6-luna",
    "low": "openai/gpt-6-luna",
    "medium": "openai/gpt-6-luna",
    "high": "openai/gpt-6-sol",
    "xhigh": "anthropic/claude-opus-5-5",
    "wide-research": "openai/gpt-6-sol",
    "fast-search": "openai/gpt-6-luna",
    "pro-search": "openai/gpt-6-luna",
    "deep-research": "openai/gpt-6-luna",
    "advanced-deep-research": "openai/gpt-6-sol",
}
"""What presets resolve to (2026-10); the last four are older names, the model of `wide-research` is a guess."""

_LEAST_OUTPUT_TOKENS = 16


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InputPart(_Strict):
    """Part of a message."""

    type: Literal["input_text"]
    text: str


class InputMessage(_Strict):
    """One message of the input."""

    type: Literal["message"]
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[
        Annotated[str, Tag("#text")] | Annotated[list[InputPart], Tag("#parts")],
        Discriminator(lambda value: "#parts" if isinstance(value, list) else "#text"),
    ]

    @property
    def text(self) -> str:
        """The message's text, parts joined."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class UserLocation(_Strict):
    """Where the searcher is."""

    type: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    timezone: str | None = None


class Filters(_Strict):
    """Limits of a search. Dates are not checked: the real one took ISO dates silently."""

    search_domain_filter: list[str] | None = None
    search_recency_filter: Literal["hour", "day", "week", "month", "year"] | None = None
    search_after_date_filter: str | None = None
    search_before_date_filter: str | None = None
    last_updated_after_filter: str | None = None
    last_updated_before_filter: str | None = None


class WebSearch(_Strict):
    """The tool that searches."""

    type: Literal["web_search"]
    filters: Filters | None = None
    search_context_size: Literal["low", "medium", "high"] | None = None
    search_type: Literal["web", "fast"] | None = None
    max_results: Annotated[int, Field(ge=1, le=50)] | None = None
    user_location: UserLocation | None = None


class OtherTool(BaseModel):
    """A tool that is taken and does nothing; its fields are not in our reference, so none is refused."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    type: Literal["fetch_url", "people_search", "finance_search", "sandbox", "mcp", "function"]


def _tool_tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - raw JSON
    return "#web_search" if kind == "web_search" else "#other"


Tool = Annotated[
    Annotated[WebSearch, Tag("#web_search")] | Annotated[OtherTool, Tag("#other")], Discriminator(_tool_tag)
]


class JsonSchema(_Strict):
    """The structured output asked for."""

    name: str
    schema_: Annotated[dict[str, object], Field(alias="schema")]
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(_Strict):
    """`text`, or `json_schema` with its schema."""

    type: Literal["text", "json_schema"]
    json_schema: JsonSchema | None = None


class Reasoning(_Strict):
    """How hard to think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None


class ToolChoice(_Strict):
    """The tool that must be called."""

    type: str
    name: str | None = None


class AgentRequest(_Strict):
    """A whole request."""

    input: Annotated[
        Annotated[str, Tag("#text")] | Annotated[list[InputMessage], Tag("#messages"), Field(min_length=1)],
        Discriminator(lambda value: "#messages" if isinstance(value, list) else "#text"),
    ]
    model: str | None = None
    preset: str | None = None
    effort: str | None = None
    models: Annotated[list[str], Field(min_length=1, max_length=5)] | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stream: bool | None = None
    language_preference: str | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    service_tier: str | None = None
    reasoning: Reasoning | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: (
        Annotated[
            Annotated[Literal["auto", "none", "required"], Tag("#mode")] | Annotated[ToolChoice, Tag("#tool")],
            Discriminator(lambda value: "#mode" if isinstance(value, str) else "#tool"),
        ]
        | None
    ) = None
    max_steps: Annotated[int, Field(ge=1)] | None = None
    max_tool_calls: Annotated[int, Field(ge=0)] | None = None
    previous_response_id: str | None = None
    background: bool = False
    store: bool = True

    @property
    def prompt(self) -> str:
        """What is asked: the input, or the text of its user messages."""
        if isinstance(self.input, str):
            return self.input
        return "\n".join(message.text for message in self.input if message.role == "user")

    @property
    def sent(self) -> str:
        """Everything sent that costs input tokens."""
        told = self.input if isinstance(self.input, str) else "\n".join(message.text for message in self.input)
        return f"{self.instructions or ''}\n{told}"

    @property
    def named_model(self) -> str:
        """What `model` shows until the run is completed: the preset's name when there is one."""
        return self.effort or self.preset or self.resolved_model

    @property
    def resolved_model(self) -> str:
        """The model that does the work."""
        preset = self.effort or self.preset
        if preset is not None:
            return PRESET_MODELS.get(preset, PRESET_MODELS["low"])
        return self.model or (self.models or [""])[0]

    @property
    def output_limit(self) -> int | None:
        """`max_output_tokens` as applied: never under 16."""
        return None if self.max_output_tokens is None else max(_LEAST_OUTPUT_TOKENS, self.max_output_tokens)

    @property
    def web_search(self) -> WebSearch | None:
        """The search tool in force. A list of tools replaces the preset's; without either nothing is searched."""
        if self.tools is not None:
            return next((tool for tool in self.tools if isinstance(tool, WebSearch)), None)
        return WebSearch(type="web_search") if self.effort or self.preset else None
