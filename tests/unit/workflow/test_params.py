"""What a step's `params` may set is what the adapters send, and the simulator takes all of it as strictly."""

import pytest
from pydantic import JsonValue

from ekiden.domain.plan import Provider
from ekiden.worker.adapter import Call
from ekiden.workflow.params import PARAMS, wrong_params
from ekiden_gpt_worker.openai_chat import chat_request
from ekiden_perplexity_worker.perplexity_agent import agent_request
from ekiden_simulator.openai_request import ChatRequest
from ekiden_simulator.perplexity_fields import AgentRequest

VALUES: dict[str, JsonValue] = {
    "reasoning_effort": "low",
    "verbosity": "low",
    "temperature": 0.5,
    "top_p": 0.9,
    "frequency_penalty": -1,
    "presence_penalty": 1,
    "seed": 7,
    "language_preference": "ja",
    "search_context_size": "high",
    "search_type": "fast",
    "max_results": 5,
    "search_domain_filter": ["-example.com"],
    "search_recency_filter": "week",
    "search_after_date_filter": "11/01/2026",
    "search_before_date_filter": "11/20/2026",
}
CASES = [(provider, name) for provider, accepted in PARAMS.items() for name in accepted]


def body(provider: Provider, params: dict[str, JsonValue]) -> dict[str, object]:
    request = {"system": "Be brief.", "user": "Why?", "maxOutputTokens": 100, "params": params}
    call = Call("task", 1, request)
    return chat_request(call, "model") if provider is Provider.GPT else agent_request(call, {"model": "a/b"})


@pytest.mark.parametrize(("provider", "name"), CASES)
def test_a_parameter_reaches_the_provider_s_wire(provider: Provider, name: str) -> None:
    assert list(wrong_params(provider, {name: VALUES[name]})) == []
    made = body(provider, {name: VALUES[name]})
    assert str(VALUES[name]) in str(made)
    (ChatRequest if provider is Provider.GPT else AgentRequest).model_validate(made, strict=True)


@pytest.mark.parametrize("provider", list(Provider))
def test_a_parameter_replaces_nothing_that_ekiden_sets(provider: Provider) -> None:
    plain = body(provider, {})
    made = body(provider, {name: VALUES[name] for name in PARAMS[provider]})
    assert {name: made[name] for name in plain if name != "tools"} == {k: v for k, v in plain.items() if k != "tools"}


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        (Provider.GPT, "temperature", 3),
        (Provider.GPT, "temperature", "hot"),
        (Provider.GPT, "seed", 1.5),
        (Provider.GPT, "reasoning_effort", "hard"),
        (Provider.PERPLEXITY, "max_results", 51),
        (Provider.PERPLEXITY, "search_domain_filter", ["https://example.com"]),
        (Provider.PERPLEXITY, "search_after_date_filter", "2026-11-01"),
    ],
)
def test_a_value_the_adapter_does_not_take_is_named(provider: Provider, name: str, value: JsonValue) -> None:
    (found,) = wrong_params(provider, {name: value})
    assert found[0] == name
    assert found[1]


@pytest.mark.parametrize("name", ["model", "messages", "stream", "tools", "service_tier", "max_results"])
def test_what_ekiden_sets_itself_is_no_parameter(name: str) -> None:
    assert list(wrong_params(Provider.GPT, {name: 1})) == [(name, "")]
