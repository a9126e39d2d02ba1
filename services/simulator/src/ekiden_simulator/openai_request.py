"""Reading a Chat Completions request as strictly as OpenAI does (`providers.md` 1.2)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ekiden_simulator.openai_errors import OpenAIRefusal
from ekiden_simulator.prices import OPENAI_PRICES
from ekiden_simulator.strict_schema import mistake_in

CONTEXT_TOKENS = 1_050_000
"""Context of gpt-6-luna; taken for every model."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Message(_Strict):
    """One message. Content is text or a list of parts, of which the simulator reads the text."""

    role: Literal["developer", "system", "user", "assistant", "tool"]
    content: str | list[dict[str, object]] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, object]] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The message's text, parts joined."""
        if isinstance(self.content, list):
            return "\n".join(str(part.get("text", "")) for part in self.content)
        return self.content or ""


class JsonSchema(_Strict):
    """The structured output asked for."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    schema_: Annotated[dict[str, object], Field(alias="schema")] = {}
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(_Strict):
    """`text`, `json_object`, or `json_schema` with its schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(_Strict):
    """A whole request. Fields the simulator has no use for are known by name only."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    response_format: ResponseFormat | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    reasoning_effort: Effort | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    stream: bool | None = None
    seed: int | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    store: bool | None = None
    user: str | None = None
    stop: object = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: object = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: object = None
    prompt_cache_retention: str | None = None
    moderation: object = None
    modalities: object = None
    audio: object = None
    prediction: object = None
    stream_options: object = None
    tools: object = None
    tool_choice: object = None
    parallel_tool_calls: bool | None = None
    web_search_options: object = None
    functions: object = None
    function_call: object = None

    @property
    def reasons(self) -> bool:
        """Whether the model thinks before it answers."""
        return not self.model.startswith("gpt-4")

    @property
    def json_schema(self) -> JsonSchema | None:
        """The schema the answer must fit, if any."""
        return self.response_format.json_schema if self.response_format else None


_NOT_IMITATED = ("stream", "tools", "functions", "web_search_options", "audio")


def read_request(body: bytes) -> ChatRequest:
    """Read and check a request; raise `OpenAIRefusal` with what OpenAI would say."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from error
    _check_model(request)
    _check_format(request)
    for name in _NOT_IMITATED:
        if getattr(request, name):
            raise OpenAIRefusal(f"The simulator does not imitate '{name}'.", name, "unsupported_parameter")
    return request


def _check_model(request: ChatRequest) -> None:
    model = request.model
    if model not in OPENAI_PRICES:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise OpenAIRefusal(message, None, "model_not_found", 404)
    if not request.reasons:
        return
    if request.max_tokens is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise OpenAIRefusal(message, "max_tokens", "unsupported_parameter")
    for name in ("stop", "logprobs"):
        if getattr(request, name) is not None:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise OpenAIRefusal(message, name, "unsupported_parameter")
    for name in ("temperature", "top_p"):
        value: float | None = getattr(request, name)
        if value is not None and value != 1:
            message = (
                f"Unsupported value: '{name}' does not support {value:g} with this model. "
                "Only the default (1) value is supported."
            )
            raise OpenAIRefusal(message, name, "unsupported_value")


def _check_format(request: ChatRequest) -> None:
    wanted = request.response_format
    if wanted is None:
        return
    if (wanted.type == "json_schema") is not (wanted.json_schema is not None):
        where = "response_format.json_schema"
        raise OpenAIRefusal(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    if wanted.type == "json_object" and not any("json" in each.text.lower() for each in request.messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise OpenAIRefusal(message, "messages")
    schema = wanted.json_schema
    if schema and schema.strict and (mistake := mistake_in(schema.name, schema.schema_)):
        raise OpenAIRefusal(mistake, "response_format")


def _refusal(error: ValidationError) -> OpenAIRefusal:
    first = error.errors(include_url=False)[0]
    param, kind = _param(first["loc"]), first["type"]
    if kind == "json_invalid":
        return OpenAIRefusal(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"  # noqa: E501 - one sentence of the provider
        )
    if kind == "missing" and param == "model":
        return OpenAIRefusal("you must provide a model parameter")
    if kind == "missing":
        return OpenAIRefusal(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    if kind == "extra_forbidden":
        return OpenAIRefusal(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
    code = "invalid_type" if kind.endswith("_type") else "invalid_value"
    return OpenAIRefusal(f"Invalid value for '{param}': {first['msg']}.", param or None, code)


def _param(path: tuple[int | str, ...]) -> str:
    """Return a path as OpenAI writes it, `messages[0].content`, without pydantic's names of union members."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int"):
            text += f".{part}" if text else part
    return text
