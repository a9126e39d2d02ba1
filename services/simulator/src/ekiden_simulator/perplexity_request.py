"""Reading an Agent API request as strictly as Perplexity does: an unknown or leftover field, nested too, is a 400."""

from pydantic import ValidationError

from ekiden_simulator.perplexity_errors import AgentRefusal
from ekiden_simulator.perplexity_fields import PRESET_MODELS, AgentRequest, Filters, WebSearch
from ekiden_simulator.prices import AGENT_PRICES

_MAX_BODY_BYTES = 32 * 1024 * 1024


def read_request(body: bytes) -> AgentRequest:
    """Read and check a request; raise `AgentRefusal` with what Perplexity would say."""
    if len(body) > _MAX_BODY_BYTES:
        raise AgentRefusal("Request body too large.", None, "payload_too_large", 413)
    try:
        request = AgentRequest.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from error
    _check_model(request)
    _check_together(request)
    for number, tool in enumerate(request.tools or []):
        if isinstance(tool, WebSearch) and tool.filters:
            _check_filters(tool.filters, f"tools[{number}].filters")
    return request


def _check_model(request: AgentRequest) -> None:
    named = [request.model] if request.model is not None else request.models or []
    for model in named:
        if model not in AGENT_PRICES:
            raise AgentRefusal(f"model {model!r} is not supported", "model", "invalid_model")
    if request.preset is not None and request.preset not in PRESET_MODELS:
        raise AgentRefusal(f"preset {request.preset!r} is not supported", "preset")
    if not named and request.preset is None and request.effort is None:
        raise AgentRefusal("one of model, models or preset is required", "model")


def _check_together(request: AgentRequest) -> None:
    if request.stream:
        raise AgentRefusal("the simulator does not imitate stream", "stream")
    if request.background and not request.store:
        raise AgentRefusal("background requires store to be true", "background")
    if request.preset == "wide-research" and not request.background:
        raise AgentRefusal("preset 'wide-research' requires background", "background")
    if request.resolved_model.startswith("anthropic/") and request.max_output_tokens is None and request.model:
        raise AgentRefusal("max_output_tokens is required for this model", "max_output_tokens")
    wanted = request.response_format
    if wanted is not None and (wanted.type == "json_schema") is not (wanted.json_schema is not None):
        raise AgentRefusal(
            "json_schema is required with type json_schema, and only there", "response_format.json_schema"
        )


def _check_filters(filters: Filters, where: str) -> None:
    dated = filters.model_dump(exclude_none=True, exclude={"search_domain_filter", "search_recency_filter"})
    if filters.search_recency_filter is not None and dated:
        raise AgentRefusal(
            "search_recency_filter cannot be combined with date filters", f"{where}.search_recency_filter"
        )
    domains = filters.search_domain_filter or []
    if len(domains) > 20 or any("://" in domain or len(domain) > 253 for domain in domains):
        raise AgentRefusal(
            "search_domain_filter takes at most 20 domains, without scheme, of at most 253 characters",
            f"{where}.search_domain_filter",
            "invalid_search_domain_filter",
        )


def _refusal(error: ValidationError) -> AgentRefusal:
    first = error.errors(include_url=False)[0]
    param = _param(first["loc"])
    if first["type"] == "json_invalid":
        return AgentRefusal("invalid JSON in request body")
    if first["type"] == "extra_forbidden":
        return AgentRefusal(f"unknown field {param!r}", param)
    if first["type"] == "missing":
        return AgentRefusal(f"{param} is required", param)
    return AgentRefusal(f"invalid value for {param}: {first['msg']}", param or None)


def _param(path: tuple[int | str, ...]) -> str:
    """Return a path as `tools[0].filters.name`, without the tags of union members."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith("#") and part != "[key]":
            text += f".{part}" if text else part
    return text
