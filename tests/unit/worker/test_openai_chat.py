"""OpenAI's wire: what we send, what an answer means, and what each refusal is (providers.md, 1.4 and 1.6)."""

import json

import httpx
import pytest

from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    InvalidOutput,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from ekiden.prices import PriceList
from ekiden.worker.adapter import Call
from ekiden.worker.http import Reply
from ekiden.worker.ledger import Completed
from ekiden_gpt_worker.openai_chat import OpenAIChat, chat_request, completion, refusal
from tests.unit.worker.wire import call, client, error, fence, reply

MODEL = "gpt-6-luna"
SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string"}},
    "required": ["topic"],
    "additionalProperties": False,
}
INVALID = "invalid_request_error"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
LONG = "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens."
RATE = "Rate limit reached for gpt-6-luna on tokens per min (TPM). Please try again in 1.146s."
LARGE = "Request too large for gpt-6-luna on tokens per min (TPM): Limit 9, Requested 99."

ROWS: list[tuple[str, Reply, type[ProviderError]]] = [
    (
        "too long",
        error(400, type=INVALID, code="context_length_exceeded", param="messages", message=LONG),
        ContextTooLong,
    ),
    (
        "too long, newer words",
        error(400, type=INVALID, message="Input tokens exceed the configured limit"),
        ContextTooLong,
    ),
    ("unsupported parameter", error(400, type=INVALID, code="unsupported_parameter"), RequestRejected),
    ("unsupported value", error(400, type=INVALID, code="unsupported_value"), RequestRejected),
    ("invalid value", error(400, type=INVALID, code="invalid_value"), RequestRejected),
    ("invalid model id", error(400, type=INVALID, code=None, message="invalid model ID"), RequestRejected),
    ("invalid prompt", error(400, type=INVALID, code="invalid_prompt"), RequestRejected),
    ("invalid tier", error(400, type=INVALID, code="invalid_service_tier"), RequestRejected),
    ("invalid key", error(401, type=INVALID, code="invalid_api_key"), AuthenticationFailed),
    ("wrong address", error(401, type=INVALID, code="ip_not_authorized"), AuthenticationFailed),
    ("no permission", error(401, type=INVALID, code=None), AuthenticationFailed),
    ("country", error(403, code="unsupported_country_region_territory"), AuthenticationFailed),
    ("no such model", error(404, type=INVALID, code="model_not_found"), RequestRejected),
    ("timed out and said so", error(408), ProviderUnavailable),
    ("conflict", error(409), ProviderUnavailable),
    ("too large a body", reply(413, text="too large"), ContextTooLong),
    ("unprocessable", error(422), RequestRejected),
    ("rate", error(429, type="rate_limit_error", code="rate_limit_exceeded", message=RATE), RateLimited),
    ("rate, legacy tokens", error(429, type="tokens", code="rate_limit_exceeded", message=RATE), RateLimited),
    ("rate, legacy requests", error(429, type="requests", code="rate_limit_exceeded"), RateLimited),
    ("larger than the bucket", error(429, type="tokens", code="rate_limit_exceeded", message=LARGE), ContextTooLong),
    ("slow down", error(429, type="rate_limit_error", code="slow_down"), RateLimited),
    ("flex without capacity", error(429, code="resource_unavailable"), RateLimited),
    ("no JSON at all", reply(429, text="slow down"), RateLimited),
    ("an error that is a text", reply(429, {"error": "slow down"}), RateLimited),
    *[
        (code, error(429, type="insufficient_quota", code=code, message=QUOTA), QuotaExhausted)
        for code in (
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "insufficient_quota",
        )
    ],
    ("quota by code only", error(429, type="x", code="insufficient_quota"), QuotaExhausted),
    ("server error", error(500, type="server_error"), ProviderUnavailable),
    ("overloaded", error(503, type="service_unavailable_error", code="server_is_overloaded"), ProviderUnavailable),
    ("500 from a proxy", reply(500, text="<html>"), OutcomeUnknown),
    ("503 from a proxy", reply(503, text="no healthy upstream"), OutcomeUnknown),
    ("502 with an error of its own", error(502), OutcomeUnknown),
    ("502", reply(502, text="<html>"), OutcomeUnknown),
    ("504", reply(504, text="<html>"), OutcomeUnknown),
    ("520", reply(520, text="<html>"), OutcomeUnknown),
    ("524", reply(524, text="<html>"), OutcomeUnknown),
    ("529", error(529), OutcomeUnknown),
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_refusal_has_its_class(answer: Reply, kind: type[ProviderError]) -> None:
    assert type(refusal(answer)) is kind


def test_a_rate_limit_brings_its_delay() -> None:
    limited = refusal(error(429, type="rate_limit_error", message=RATE))
    assert isinstance(limited, RateLimited)
    assert limited.delay_seconds == 1.146


def test_an_overloaded_server_s_retry_after_is_honoured() -> None:
    away = refusal(error(503, headers={"retry-after": "9"}))
    assert isinstance(away, ProviderUnavailable)
    assert away.delay_seconds == 9


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_what_the_wire_wants() -> None:
    assert chat_request(call(schemaName="topics", schema=SCHEMA), MODEL) == {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "max_completion_tokens": 100,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "topics", "schema": SCHEMA, "strict": True},
        },
    }


def test_a_request_without_a_schema_asks_for_text() -> None:
    assert "response_format" not in chat_request(call(), MODEL)


def test_a_repair_tells_the_model_what_was_wrong() -> None:
    repaired = chat_request(Call("t", 2, call().request, hint="it was no JSON"), MODEL)
    messages = repaired["messages"]
    assert isinstance(messages, list)
    assert "it was no JSON" in messages[-1]["content"]


async def test_a_call_carries_its_task_s_id() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=body("hello"))

    await OpenAIChat(client(answer), MODEL, deadline_seconds=5).submit(call(), fence())
    assert (seen[0].method, seen[0].url.path, seen[0].headers["x-client-request-id"]) == (
        "POST",
        "/chat/completions",
        "the-task",
    )


async def test_a_step_s_own_model_goes_before_the_default() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["model"])
        return httpx.Response(200, json=body("hello"))

    await OpenAIChat(client(answer), MODEL, deadline_seconds=5).submit(call(model="gpt-6-sol"), fence())
    assert seen == ["gpt-6-sol"]


async def test_a_refused_call_raises_its_class() -> None:
    adapter = OpenAIChat(client(lambda _: httpx.Response(401, json={"error": {}})), MODEL, deadline_seconds=5)
    with pytest.raises(AuthenticationFailed):
        await adapter.submit(call(), fence())


async def test_a_chat_has_no_runs_to_collect() -> None:
    adapter = OpenAIChat(client(lambda _: httpx.Response(500)), MODEL, deadline_seconds=5)
    with pytest.raises(OutcomeUnknown):
        await adapter.collect("run")


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────


def body(content: str | None, *, finish: str = "stop", refused: str | None = None) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refused},
                "finish_reason": finish,
            }
        ],
        "usage": {
            "prompt_tokens": 100_000,
            "completion_tokens": 100_000,
            "total_tokens": 200_000,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 50_000},
        },
    }


def read(content: str | None, **more: str) -> Completed:
    return completion(reply(200, body(content, **more)), {"schema": SCHEMA}, MODEL)


@pytest.mark.parametrize(
    "content",
    ['{"topic": "tea"}', '```json\n{"topic": "tea"}\n```', '```\n{"topic": "tea"}\n```\n', '  {"topic":\n"tea"}\n'],
)
def test_json_is_read_also_from_a_fence(content: str) -> None:
    assert read(content).result == {"topic": "tea"}


@pytest.mark.parametrize("content", ["", None, "no JSON", '{"topic": 1}', '{"topic": "tea", "more": 1}', "[]", '{"to'])
def test_an_answer_of_the_wrong_form_is_invalid(content: str | None) -> None:
    with pytest.raises(InvalidOutput):
        read(content)


def test_an_answer_of_the_wrong_form_says_where() -> None:
    with pytest.raises(InvalidOutput, match="at topic: 1 is not of type 'string'"):
        read('{"topic": 1}')


def test_an_answer_of_the_wrong_form_is_paid_for() -> None:
    with pytest.raises(InvalidOutput) as caught:
        read("no JSON")
    assert caught.value.billed
    assert caught.value.billed > 0


def test_a_cut_off_answer_with_nothing_in_it_is_invalid() -> None:
    with pytest.raises(InvalidOutput, match="cut off"):
        read("", finish="length")


def test_a_refusal_of_the_model_is_rejected_and_paid_for() -> None:
    with pytest.raises(RequestRejected, match="I cannot help") as caught:
        read(None, refused="I cannot help")
    assert caught.value.billed


def test_a_filtered_answer_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="content filter"):
        read("", finish="content_filter")


ODD: list[object] = [
    None,
    [],
    "text",
    {},
    {"choices": []},
    {"choices": None},
    {"choices": ["text"]},
    {"choices": [{}]},
    {"choices": [{"message": None}]},
    {"choices": [{"message": "text"}]},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_2xx_that_cannot_be_read_is_unknown(odd: object) -> None:
    with pytest.raises(OutcomeUnknown):
        completion(reply(200, odd), {}, MODEL)


def test_a_2xx_that_is_no_json_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        completion(reply(200, text="<html>"), {}, MODEL)


@pytest.mark.parametrize("usage", [None, {}, "text", {"prompt_tokens": None}, {"prompt_tokens": "many"}], ids=str)
def test_an_answer_without_a_usage_is_kept_at_an_unknown_cost(usage: object) -> None:
    answer = completion(reply(200, body("hello") | {"usage": usage}), {}, MODEL)
    assert (answer.result, answer.usage.billed) == ("hello", None)


def test_the_tokens_are_booked_at_the_listed_price() -> None:
    assert read('{"topic": "tea"}').usage.billed == 60_000


def test_cached_tokens_cost_less() -> None:
    counted = {
        "prompt_tokens": 1_000_000,
        "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 1_000_000},
    }
    assert PriceList().price(counted, "gpt-4o-mini", "gpt-4o-mini", {})[0] == 75_000


def test_a_model_that_no_table_knows_has_no_price() -> None:
    counted = {"prompt_tokens": 1, "completion_tokens": 1}
    assert PriceList().price(counted, "our-own-model", "our-own-model", {})[0] is None


def test_an_answer_of_the_simulator_is_marked() -> None:
    simulated = completion(reply(200, body("hello"), headers={"X-Ekiden-Simulator": "1"}), {}, MODEL)
    assert simulated.usage.simulated
