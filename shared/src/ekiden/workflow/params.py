"""Provider parameters: what a step's `params` may set, beside what Ekiden sets itself.

Names and values as the adapters send them. Left out is what would change the bill or the wire: service tiers, `n`,
`stream`, tools.
"""

from collections.abc import Iterator, Mapping

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from ekiden.domain.plan import Provider

Json = dict[str, JsonValue]
_EFFORT: Json = {"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]}
_TEMPERATURE: Json = {"type": "number", "minimum": 0, "maximum": 2}
_SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}
_PENALTY: Json = {"type": "number", "minimum": -2, "maximum": 2}
_DATE: Json = {"type": "string", "pattern": r"^(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])/[0-9]{4}$"}

PARAMS: Mapping[Provider, Mapping[str, Json]] = {
    Provider.GPT: {
        "reasoning_effort": _EFFORT,
        "verbosity": {"enum": ["low", "medium", "high"]},
        "temperature": _TEMPERATURE,
        "top_p": _SHARE,
        "frequency_penalty": _PENALTY,
        "presence_penalty": _PENALTY,
        "seed": {"type": "integer"},
    },
    Provider.PERPLEXITY: {
        "reasoning_effort": _EFFORT,
        "temperature": _TEMPERATURE,
        "top_p": _SHARE,
        "language_preference": {"type": "string", "pattern": "^[a-z]{2}$"},
        "search_context_size": {"enum": ["low", "medium", "high"]},
        "search_type": {"enum": ["web", "fast"]},
        "max_results": {"type": "integer", "minimum": 1, "maximum": 50},
        "search_domain_filter": {
            "type": "array",
            "items": {"type": "string", "pattern": "^-?[^/:]{1,252}$"},
            "minItems": 1,
            "maxItems": 20,
        },
        "search_recency_filter": {"enum": ["hour", "day", "week", "month", "year"]},
        "search_after_date_filter": _DATE,
        "search_before_date_filter": _DATE,
    },
}
"""What each adapter takes, as JSON Schema. Chat Completions: developers.openai.com/api/reference; Agent API:
docs.perplexity.ai/docs/agent-api, both as of November 2026. A model may take less: its provider says so with a 400."""


def wrong_params(provider: Provider, params: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Name each parameter that its adapter does not take, and why not; an unknown one has no reason.

    What the adapter of a provider that was added takes is known to whoever added it.
    """
    table = PARAMS.get(provider)
    if table is None:
        return
    for name, value in params.items():
        accepted = table.get(name)
        if accepted is None:
            yield name, ""
        else:
            errors = Draft202012Validator(accepted).iter_errors(value)
            yield from ((name, error.message) for error in errors)
