"""OpenAI's wire, row by row (providers.md 1.4, 1.6, 1.7): what each documented answer means."""

import json

import pytest

from ekiden.errors import (
    AuthenticationFailed,
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
from ekiden.worker.ledger import Completed
from ekiden_gpt_worker.openai_chat import OpenAIChat
from tests.unit.worker.test_openai_chat import SCHEMA, body
from tests.unit.worker.wire import call, client, fence
from tests.unit.worker.wire_table import NOON, Row, says

INVALID = "invalid_request_error"
COST = 60_000
"""What `body()` costs at the listed price, in micro-dollars."""
VISIT = "Visit https://platform.openai.com/account/rate-limits to learn more."
RATE = f"Rate limit reached for gpt-6-luna in organization org-1 on tokens per min (TPM): Limit 200000, Used 199400, Requested 4420. Please try again in 1.146s. {VISIT}"  # noqa: E501 - one sentence of the provider
SILENT = "Rate limit reached for gpt-6-luna on requests per min (RPM): Limit 500, Used 500, Requested 1."
LARGE = f"Request too large for gpt-6-luna in organization org-1 on tokens per min (TPM): Limit 200000, Requested 214042. The input or output tokens must be reduced in order to run successfully. {VISIT}"  # noqa: E501 - one sentence of the provider
LARGE_ELSE = (
    "Rate limit reached on tokens per min (TPM): Limit 30,000, Used 0, Requested 41,250. Please try again in 2s."
)
LONG = "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens. Please reduce the length of the messages."  # noqa: E501 - one sentence of the provider
LONGER = "Input tokens exceed the configured limit of 8 tokens. Your messages resulted in 9 tokens."
QUOTA = "You exceeded your current quota, please check your plan and billing details. Please try again in 1s."
RAN_OUT = "Could not finish the message because max_tokens or model output limit was reached. Please try again."


def error(type: str | None = INVALID, code: str | None = None, message: str = "no", param: str | None = None) -> object:
    """The envelope: all four fields are always there."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def resets(requests: str, tokens: str, left: tuple[str, str] = ("0", "0")) -> dict[str, str]:
    return {
        "x-ratelimit-remaining-requests": left[0],
        "x-ratelimit-remaining-tokens": left[1],
        "x-ratelimit-reset-requests": requests,
        "x-ratelimit-reset-tokens": tokens,
    }


LIMITED = error("rate_limit_error", "rate_limit_exceeded", SILENT)
OVERLOADED = error("service_unavailable_error", "server_is_overloaded")

ROWS = [
    # 400
    Row("too long", 400, ContextTooLong, error(code="context_length_exceeded", message=LONG, param="messages")),
    Row("too long, newer words", 400, ContextTooLong, error(message=LONGER)),
    Row("a text that is too long", 400, ContextTooLong, error(code="string_above_max_length")),
    Row("unsupported parameter", 400, RequestRejected, error(code="unsupported_parameter", param="max_tokens")),
    Row("unsupported value", 400, RequestRejected, error(code="unsupported_value", param="temperature")),
    Row("invalid value", 400, RequestRejected, error(code="invalid_value")),
    Row("invalid model id", 400, RequestRejected, error(message="invalid model ID")),
    Row("invalid prompt", 400, RequestRejected, error(code="invalid_prompt", message="Invalid prompt: flagged")),
    Row("invalid tier", 400, RequestRejected, error(code="invalid_service_tier", param="service_tier")),
    Row("out of tokens", 400, InvalidOutput, error(message=RAN_OUT), billed=None),
    # 401, 403, 404
    Row(
        "invalid key",
        401,
        AuthenticationFailed,
        error(code="invalid_api_key", message="Incorrect API key provided: sk-x."),
        {"www-authenticate": 'Bearer realm="OpenAI API"'},
    ),
    Row("wrong address of ours", 401, AuthenticationFailed, error(code="ip_not_authorized")),
    Row("no permission", 401, AuthenticationFailed, error(message="You have insufficient permissions")),
    Row("no country", 403, AuthenticationFailed, error(message="Country, region, or territory not supported")),
    Row("no access to the model", 403, RequestRejected, error(code="model_not_found")),
    Row("no such model", 404, RequestRejected, error(code="model_not_found", message="The model X does not exist")),
    Row("no such address", 404, Misconfigured, error(message="Invalid URL (POST /v1/v1/chat/completions)")),
    Row("gone", 410, Misconfigured, error()),
    # other 4xx, in the provider's own JSON
    Row("timed out and said so", 408, ProviderUnavailable, error()),
    Row("conflict", 409, ProviderUnavailable, error(), {"retry-after": "3"}, 3),
    Row("too early", 425, ProviderUnavailable, error()),
    Row("too large", 413, ContextTooLong, error()),
    Row("unprocessable", 422, RequestRejected, error()),
    Row("billing", 402, QuotaExhausted, error()),
    # 429: a rate …
    Row(
        "rate, wait in the message",
        429,
        RateLimited,
        error("rate_limit_error", "rate_limit_exceeded", RATE),
        None,
        1.146,
    ),
    Row("rate, legacy tokens", 429, RateLimited, error("tokens", "rate_limit_exceeded", RATE), None, 1.146),
    Row("rate, legacy requests", 429, RateLimited, error("requests", "rate_limit_exceeded", SILENT)),
    Row("rate, seconds", 429, RateLimited, LIMITED, {"retry-after": "7"}, 7),
    Row("rate, milliseconds first", 429, RateLimited, LIMITED, {"retry-after": "7", "retry-after-ms": "250"}, 0.25),
    Row(
        "rate, HTTP date",
        429,
        RateLimited,
        LIMITED,
        {"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT", "date": NOON},
        90,
    ),
    Row("rate, at once", 429, RateLimited, LIMITED, {"retry-after": "0"}, None),
    Row("rate, next century", 429, RateLimited, LIMITED, {"retry-after": "999999999999999"}, 86_400),
    Row("rate, Go durations", 429, RateLimited, LIMITED, resets("6m0s", "10ms"), 360),
    Row("rate, Go durations, one used up", 429, RateLimited, LIMITED, resets("6m0s", "1.2s", ("7", "0")), 1.2),
    Row("rate, Go durations, none used up", 429, RateLimited, LIMITED, resets("6m0s", "1.2s", ("7", "7"))),
    Row("rate, Go microseconds", 429, RateLimited, LIMITED, resets("500us", "0s"), 0.0005),
    Row("rate, odd durations", 429, RateLimited, LIMITED, resets("soon", "")),
    Row("rate, header before duration", 429, RateLimited, LIMITED, {**resets("6m0s", "6m0s"), "retry-after": "2"}, 2),
    Row("slow down", 429, RateLimited, error("rate_limit_error", "slow_down")),
    Row("flex without capacity", 429, RateLimited, error(code="resource_unavailable")),
    Row("an error that is a text", 429, RateLimited, {"error": "slow down"}),
    # … or a length, which no wait makes shorter …
    Row("larger than the bucket", 429, ContextTooLong, error("tokens", "rate_limit_exceeded", LARGE)),
    Row("larger than the bucket, other words", 429, ContextTooLong, error("tokens", "rate_limit_exceeded", LARGE_ELSE)),
    # … or a bill
    *[
        Row(code, 429, QuotaExhausted, error("insufficient_quota", code, QUOTA), {"retry-after": "1"})
        for code in (
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        )
    ],
    Row("quota by code only", 429, QuotaExhausted, error("x", "insufficient_quota")),
    # 5xx
    Row("server error", 500, ProviderUnavailable, error("server_error")),
    Row("server error that quotes us", 500, ProviderUnavailable, error("server_error", message=LONG)),
    Row("overloaded", 503, ProviderUnavailable, OVERLOADED, {"retry-after": "9"}, 9),
    Row("overloaded, milliseconds", 503, ProviderUnavailable, OVERLOADED, {"retry-after-ms": "1500"}, 1.5),
    Row("bad gateway, own words", 502, OutcomeUnknown, error("server_error"), billed=None),
    # 200 that is no answer
    Row("refusal", 200, RequestRejected, body(None, refused="I cannot help with that."), billed=COST),
    Row("content filter", 200, RequestRejected, body("Tea is", finish="content_filter"), billed=COST),
    Row("length, nothing in it", 200, InvalidOutput, body("", finish="length"), billed=COST),
    Row("length, half of it", 200, InvalidOutput, body('{"topic": "te', finish="length"), billed=COST),
    Row("length, by luck whole", 200, InvalidOutput, body('{"topic": "tea"}', finish="length"), billed=COST),
    Row("stop, nothing in it", 200, InvalidOutput, body(""), billed=COST),
    Row("tool calls", 200, InvalidOutput, body(None, finish="tool_calls"), billed=COST),
    Row("no JSON", 200, InvalidOutput, body("Tea."), billed=COST),
    Row("JSON without end", 200, InvalidOutput, body("[" * 100_000), billed=COST),
    Row("truncated JSON", 200, InvalidOutput, body('{"topic": "te'), billed=COST),
    Row("fenced, of the wrong form", 200, InvalidOutput, body('```json\n{"unexpected": true}\n```'), billed=COST),
    Row("no choices", 200, OutcomeUnknown, {"id": "chatcmpl-1", "choices": []}, billed=None),
]


def adapter(row: Row) -> OpenAIChat:
    return OpenAIChat(client(lambda _: row.response()), "gpt-6-luna", deadline_seconds=30)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_every_answer_of_openai_means_what_its_row_says(row: Row) -> None:
    with pytest.raises(ProviderError) as caught:
        await adapter(row).submit(call(schemaName="topics", schema=SCHEMA), fence())
    says(caught.value, row)


async def answered(content: str, **more: object) -> Completed:
    row = Row("200", 200, ProviderError, {**body(content), **more})
    found = await adapter(row).submit(call(schemaName="topics", schema=SCHEMA), fence())
    assert isinstance(found, Completed)
    return found


async def test_an_empty_answer_is_none_also_where_no_form_was_asked_for() -> None:
    with pytest.raises(InvalidOutput, match="empty"):
        await adapter(Row("200", 200, ProviderError, body(" \n"))).submit(call(), fence())


async def test_half_a_character_does_not_cost_the_answer() -> None:
    found = await answered(json.dumps({"topic": "tea \ud83c"}))
    assert found.result == {"topic": "tea �"}


@pytest.mark.parametrize("count", [-1, 10**30, float("inf"), float("nan"), True and "many", None])
async def test_an_absurd_count_of_tokens_is_not_booked(count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 1}
    assert (await answered('{"topic": "tea"}', usage=usage)).usage.billed is None
