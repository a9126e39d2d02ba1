"""`GET /v1/models`, a path both providers have: the key's prefix tells whose list is meant."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ekiden_simulator.access import bearer_key, is_good, is_perplexity
from ekiden_simulator.openai_errors import unauthorized
from ekiden_simulator.openai_headers import identity_headers
from ekiden_simulator.prices import AGENT_PRICES, OPENAI_PRICES
from ekiden_simulator.replies import compact_json, pretty_json

_SHUTDOWN_DATES = {
    "gpt-5-mini": "2026-12-11",
    "gpt-4o-mini": "2027-01-14",
    "gpt-4.1": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14",
    "gpt-5.4-nano": "2027-04-01",
}
"""From OpenAI's deprecations page, November 2026."""
_CREATED = 1_779_000_000  # OpenAI's are real dates; this one is not
_CACHED_SHARE = {"perplexity/sonar": 0.25}  # of the input price; a tenth for the others


def routes() -> list[Route]:
    """Return the one route."""
    return [Route("/v1/models", list_models, methods=["GET"])]


async def list_models(request: Request) -> Response:
    """List models; without a good key 401 in OpenAI's words, though Perplexity's documents ask for none."""
    key = bearer_key(request)
    if not is_good(key):
        return unauthorized(key)
    if is_perplexity(key):
        return compact_json({"object": "list", "data": [_agent_model(model) for model in AGENT_PRICES]})
    return pretty_json(
        {"object": "list", "data": [_chat_model(model) for model in OPENAI_PRICES]}, 200, identity_headers()
    )


def _chat_model(model: str) -> dict[str, object]:
    return {
        "id": model,
        "object": "model",
        "created": _CREATED,
        "owned_by": "system",
        "shutdown_date": _SHUTDOWN_DATES.get(model),
    }


def _agent_model(model: str) -> dict[str, object]:
    price = AGENT_PRICES[model]
    return {
        "id": model,
        "object": "model",
        "created": 0,
        "owned_by": model.partition("/")[0],
        "pricing": {
            "input": price.input,
            "output": price.output,
            "cache_read": round(price.input * _CACHED_SHARE.get(model, 0.1), 6),
            "unit": "usd_per_1m_tokens",
        },
    }
