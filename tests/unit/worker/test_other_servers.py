"""Other servers that speak Chat Completions: what they refuse, how they refuse it, and how they answer.

Shapes as in public reports: vLLM (modelscope/ms-agent#489, kserve#3886), LiteLLM (BerriAI/litellm#14225, #38263),
OpenRouter (reVrost/go-openrouter#21, open-webui/computer#293), Ollama, Groq, DeepSeek, Mistral.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from ekiden.errors import (
    ContextTooLong,
    InvalidOutput,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from ekiden.prices import ListPrice, PriceList, read_prices
from ekiden.worker.adapter import Call
from ekiden.worker.http import FIRST_BYTE, ProviderClient, Reply
from ekiden.worker.ledger import Completed
from ekiden_gpt_worker.dialect import Dialect, Form, LimitField
from ekiden_gpt_worker.openai_chat import OpenAIChat, chat_request, completion, refusal
from ekiden_gpt_worker.settings import GptWorkerSettings
from tests.unit.worker.wire import call, client, fence, reply

MODEL = "qwen3:8b"
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"topic": {"type": "string"}},
    "required": ["topic"],
    "additionalProperties": False,
}
ANSWER = '{"topic": "tea"}'
Body = dict[str, Any]


def vllm(status: int, kind: str, message: str) -> httpx.Response:
    """The error is the body itself."""
    return httpx.Response(
        status, json={"object": "error", "message": message, "type": kind, "param": None, "code": status}
    )


def own(status: int, message: str, **more: object) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message} | more})


def answered(content: object = ANSWER, **more: object) -> httpx.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
    return httpx.Response(200, json={"id": "1", "model": MODEL, "choices": [choice], "usage": usage} | more)


class Server:
    """Answers what a request asks for, after it has refused what it does not know; keeps every body."""

    def __init__(self, judge: Callable[[Body], httpx.Response | None]) -> None:
        self._judge = judge
        self.bodies: list[Body] = []
        self.adapter = OpenAIChat(client(self._answer), MODEL, deadline_seconds=5)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        return self._judge(self.bodies[-1]) or answered()

    async def ask(self, **more: object) -> Completed:
        said = await self.adapter.submit(call(schemaName="topics", schema=SCHEMA, **more), fence())
        assert isinstance(said, Completed)
        return said


# ── fields that are refused ──────────────────────────────────────────────────────────────────────────────


def forbids(field: str) -> Callable[[Body], httpx.Response | None]:
    said = f"[{{'type': 'extra_forbidden', 'loc': ('body', '{field}'), 'msg': 'Extra inputs are not permitted'}}]"
    return lambda body: vllm(400, "BadRequestError", said) if field in body else None


def takes_no_schema(body: Body) -> httpx.Response | None:
    """DeepSeek's words, for one kind of `response_format`."""
    if body.get("response_format", {}).get("type") == "json_schema":
        return own(400, "This response_format type is unavailable now", type="invalid_request_error", param=None)
    return None


def takes_no_format(body: Body) -> httpx.Response | None:
    if "response_format" in body:
        return own(400, "`response_format` is not supported by this model", type="invalid_request_error")
    return None


def litellm(body: Body) -> httpx.Response | None:
    if "reasoning_effort" in body:
        said = f"litellm.UnsupportedParamsError: together_ai does not support parameters: ['reasoning_effort'], {MODEL}"
        return httpx.Response(400, json={"message": said})
    return None


def openrouter(body: Body) -> httpx.Response | None:
    """What its provider said is a text in the metadata."""
    if body.get("response_format", {}).get("type") != "json_schema":
        return None
    raw = '{"error": {"message": "json_schema is not supported", "param": "response_format"}}'
    return own(400, "Provider returned error", code=400, metadata={"raw": raw, "provider_name": "Some"})


async def test_a_server_without_schemas_is_asked_for_json_with_the_schema_in_the_prompt() -> None:
    server = Server(takes_no_schema)
    assert (await server.ask()).result == {"topic": "tea"}
    assert [body["response_format"]["type"] for body in server.bodies] == ["json_schema", "json_object"]
    assert json.dumps(SCHEMA, separators=(",", ":")) in server.bodies[-1]["messages"][0]["content"]


async def test_a_server_without_formats_is_asked_in_words() -> None:
    server = Server(takes_no_format)
    assert (await server.ask()).result == {"topic": "tea"}
    assert [body.get("response_format", {}).get("type") for body in server.bodies] == [
        "json_schema",
        "json_object",
        None,
    ]
    assert "JSON Schema" in server.bodies[-1]["messages"][0]["content"]


async def test_what_a_proxy_s_provider_refused_is_read_from_its_metadata() -> None:
    server = Server(openrouter)
    assert (await server.ask()).result == {"topic": "tea"}
    assert len(server.bodies) == 2


async def test_an_older_server_is_told_of_the_limit_by_its_older_name() -> None:
    server = Server(forbids("max_completion_tokens"))
    await server.ask()
    assert (server.bodies[-1]["max_tokens"], "max_completion_tokens" in server.bodies[-1]) == (100, False)


@pytest.mark.parametrize("judge", [forbids("reasoning_effort"), litellm], ids=["vllm", "litellm"])
async def test_a_parameter_that_is_not_known_is_left_out(judge: Callable[[Body], httpx.Response | None]) -> None:
    server = Server(judge)
    await server.ask(params={"reasoning_effort": "low", "seed": 1})
    assert ("reasoning_effort" in server.bodies[-1], server.bodies[-1]["seed"]) == (False, 1)


async def test_what_was_learned_of_a_server_is_not_asked_again() -> None:
    server = Server(takes_no_format)
    await server.ask()
    await server.ask()
    assert len(server.bodies) == 4


async def test_what_was_learned_is_of_one_model() -> None:
    server = Server(takes_no_schema)
    await server.ask()
    await server.ask(model="another")
    assert [body["model"] for body in server.bodies] == [MODEL, MODEL, "another", "another"]


async def test_all_of_it_may_be_refused_one_after_the_other() -> None:
    refusing = (forbids("max_completion_tokens"), litellm, takes_no_format)
    server = Server(lambda body: next((said for judge in refusing if (said := judge(body))), None))
    await server.ask(params={"reasoning_effort": "low"})
    assert set(server.bodies[-1]) == {"model", "messages", "max_tokens"}


async def test_a_refusal_that_nothing_can_be_left_out_for_is_one() -> None:
    server = Server(lambda _: own(400, "max_tokens is refused, and response_format, and whatever you say", param=None))
    with pytest.raises(RequestRejected):
        await server.ask()
    assert len(server.bodies) == 3


async def test_a_list_of_all_fields_is_no_refusal_of_each() -> None:
    said = "unknown field `thinking`, expected one of `messages`, `response_format`, `max_completion_tokens`"
    server = Server(lambda _: own(400, said))
    with pytest.raises(RequestRejected):
        await server.ask()
    assert len(server.bodies) == 1


async def test_a_prompt_that_is_too_long_is_no_matter_of_the_limit_s_name() -> None:
    said = "'max_tokens' or 'max_completion_tokens' is too large. This model's maximum context length is 8192 tokens"
    server = Server(lambda _: vllm(400, "BadRequestError", said))
    with pytest.raises(ContextTooLong):
        await server.ask()
    assert len(server.bodies) == 1


class RefusesAndHangsUp(httpx.AsyncBaseTransport):
    """Refuses the first request, and lets nobody connect for a second one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refused:
            raise httpx.ConnectError("nobody there")
        self.refused = True
        await request.extensions["trace"](FIRST_BYTE, {})
        return own(400, "response_format is not supported")

    refused = False


async def test_a_connection_that_fails_behind_a_refusal_is_known_not_to_be_bought() -> None:
    """The first byte of the second request decides, not that of the refused one."""
    server = ProviderClient("http://server.example", {}, connections=1, transport=RefusesAndHangsUp())
    adapter = OpenAIChat(server, MODEL, deadline_seconds=5)
    with pytest.raises(ProviderUnavailable):
        await adapter.submit(call(schemaName="topics", schema=SCHEMA), fence())


def test_the_settings_say_where_a_server_s_way_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_GPT_STRUCTURED_OUTPUT", "prompt")
    monkeypatch.setenv("EKIDEN_GPT_LIMIT_FIELD", "max_tokens")
    settings = _settings()
    asked = chat_request(call(schemaName="topics", schema=SCHEMA), MODEL, settings.dialect)
    assert settings.dialect == Dialect(Form.PROMPT, LimitField.MAX_TOKENS)
    assert set(asked) == {"model", "messages", "max_tokens"}


def test_a_repair_tells_the_form_again() -> None:
    asked = chat_request(
        Call("t", 2, call(schemaName="topics", schema=SCHEMA).request, hint="it was no JSON"), MODEL, Dialect()
    )
    messages = asked["messages"]
    assert isinstance(messages, list)
    assert "JSON Schema" in messages[-1]["content"]


# ── refusals of other forms ──────────────────────────────────────────────────────────────────────────────

ERRORS: list[tuple[str, httpx.Response, type[ProviderError]]] = [
    ("vllm, no such model", vllm(404, "NotFoundError", "The model `x` does not exist."), RequestRejected),
    ("vllm, out of order", vllm(500, "InternalServerError", "EngineCore encountered an issue"), ProviderUnavailable),
    ("vllm, too long", vllm(400, "BadRequestError", "This model's maximum context length is 9 tokens"), ContextTooLong),
    ("ollama, no such model", own(404, "model 'x' not found", type="not_found_error"), RequestRejected),
    ("ollama, an error that is a text", httpx.Response(400, json={"error": "invalid model name"}), RequestRejected),
    ("ollama, busy", own(503, "server busy, please try again", type="overloaded_error"), ProviderUnavailable),
    ("llama.cpp, too long", own(400, "exceeds the available context size", type="x", code=400), ContextTooLong),
    ("litellm, too long", own(400, "litellm.ContextWindowExceededError: no", code="400"), ContextTooLong),
    ("litellm, by the text alone", httpx.Response(400, json={"message": "litellm.BadRequestError"}), RequestRejected),
    ("openrouter, no credits", own(402, "Insufficient credits", code=402), QuotaExhausted),
    ("openrouter, upstream's limit", own(429, "Provider returned error", code=429), RateLimited),
    ("nobody at this address", httpx.Response(404, json={"detail": "Not Found"}), Misconfigured),
    ("a gateway's page", httpx.Response(500, text="<html>"), OutcomeUnknown),
]


@pytest.mark.parametrize(("said", "kind"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_every_refusal_of_another_server_has_its_class(said: httpx.Response, kind: type[ProviderError]) -> None:
    assert type(refusal(_read(said))) is kind


# ── answers of other forms ───────────────────────────────────────────────────────────────────────────────


def read(said: httpx.Response, prices: PriceList | None = None) -> Completed:
    return completion(_read(said), {"schema": SCHEMA}, MODEL, prices)


@pytest.mark.parametrize(
    "content",
    [
        f"<think>They want {{tea}}?</think>\n{ANSWER}",
        f"Here is the JSON:\n```json\n{ANSWER}\n```\nAnything else?",
        f"Of course. {ANSWER}",
        [{"type": "text", "text": ANSWER}],
    ],
    ids=["behind thinking", "a fence between words", "behind words", "in parts"],
)
def test_an_answer_is_found_wherever_it_stands(content: object) -> None:
    assert read(answered(content)).result == {"topic": "tea"}


@pytest.mark.parametrize("content", [None, "<think>tea</think>", "{tea}", '{"topic": 1}'])
def test_an_answer_without_its_form_is_none_however_it_was_asked_for(content: object) -> None:
    with pytest.raises(InvalidOutput):
        read(answered(content))


def test_an_answer_without_usage_is_kept_and_its_cost_is_not_known() -> None:
    answer = read(answered(usage=None))
    assert (answer.result, answer.usage.billed) == ({"topic": "tea"}, None)


def test_a_200_that_tells_of_an_error_is_an_unknown_outcome_that_says_so() -> None:
    with pytest.raises(OutcomeUnknown, match="Provider disconnected"):
        read(own(200, "Provider disconnected", code=502))


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_no_list_knows_has_no_price() -> None:
    assert read(answered()).usage.billed is None


def test_the_operator_s_price_goes_before_all_others() -> None:
    prices = PriceList({MODEL: ListPrice(0.5, 1.5)})
    counted = {"prompt_tokens": 1000, "completion_tokens": 1000, "cost": 9.0}
    usage = read(answered(usage=counted), prices).usage
    assert (usage.billed, usage.price) == (2000, f"{MODEL}: 0.5 in, 1.5 out per 1M tokens, USD")


def test_what_openrouter_says_that_it_costs_is_booked() -> None:
    counted = {"prompt_tokens": 1000, "completion_tokens": 1000, "cost": 0.00075}
    usage = read(answered(usage=counted)).usage
    assert (usage.billed, usage.price) == (750, "usage.cost of the answer")


def test_what_litellm_says_that_it_costs_is_booked() -> None:
    said = answered()
    said.headers["x-litellm-response-cost"] = "0.000123"
    assert read(said).usage.billed == 123


@pytest.mark.parametrize("cost", [True, "much", -1, 1e12, float("nan")], ids=str)
def test_what_is_no_cost_is_not_booked(cost: object) -> None:
    counted = {"prompt_tokens": 1000, "completion_tokens": 1000, "cost": cost}
    assert PriceList().price(counted, MODEL, MODEL, {})[0] is None


def test_a_model_is_priced_by_whoever_sells_it_at_the_address() -> None:
    at = PriceList(base_url="https://openrouter.ai/api/v1")
    assert at.knows("openai/gpt-4o-mini")
    assert not PriceList().knows("openai/gpt-4o-mini")


def test_prices_are_read_also_of_names_with_everything_in_them() -> None:
    assert read_prices("qwen3:8b=0/0, meta/llama=x=0.5/1.5,") == {
        "qwen3:8b": ListPrice(0, 0),
        "meta/llama=x": ListPrice(0.5, 1.5),
    }


@pytest.mark.parametrize("text", ["gpt", "gpt=1", "gpt=1/", "=1/2", "gpt=-1/2", "gpt=nan/1", "gpt=a/b"])
def test_a_price_that_is_none_stops_the_worker_at_its_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKIDEN_GPT_PRICES", text)
    with pytest.raises(ValidationError, match="in USD per million tokens"):
        _settings()


def _settings() -> GptWorkerSettings:
    needed: Mapping[str, Any] = {"amqp_url": "amqp://x", "mongodb_url": "mongodb://x", "api_key": "k"}
    return GptWorkerSettings(**needed)


def _read(said: httpx.Response) -> Reply:
    try:
        body = said.json()
    except ValueError:
        return reply(said.status_code, text=said.text, headers=said.headers)
    return reply(said.status_code, body, headers=said.headers)
