"""Chat Completions on the wire: providers.md section 1."""

import json
import re
import time

import httpx
import pytest

from tests.contract.test_simulator_server import CHAT, OPENAI_KEY, PERPLEXITY_KEY, chat, send_chat, simulator

STRICT: dict[str, object] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def json_schema(schema: dict[str, object], name: str = "answer") -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


async def test_a_completion_has_every_recorded_key_and_is_printed_on_many_lines() -> None:
    async with simulator() as client:
        reply = await send_chat(client)
    body = reply.json()
    assert list(body) == ["id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"]
    assert reply.text.startswith('{\n  "id": "chatcmpl-')
    [choice] = body["choices"]
    assert choice["finish_reason"] == "stop"
    assert set(choice["message"]) == {"role", "content", "refusal", "annotations"}
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


async def test_headers_count_time_in_go_durations() -> None:
    async with simulator() as client:
        headers = (await send_chat(client)).headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-version"] == "2020-10-01"
    assert int(headers["openai-processing-ms"]) >= 0
    assert headers["x-ratelimit-limit-requests"] == "500"
    assert headers["x-ratelimit-remaining-requests"] == "499"
    assert headers["x-ratelimit-reset-requests"] == "120ms"
    assert re.fullmatch(r"\d+(\.\d+)?m?s", headers["x-ratelimit-reset-tokens"])


async def test_the_bill_is_tokens_times_price() -> None:
    async with simulator() as client:
        usage = (await send_chat(client)).json()["usage"]
        [call] = (await client.get("/bill")).json()["calls"]
    assert call["costUsd"] == pytest.approx(usage["prompt_tokens"] * 1e-7 + usage["completion_tokens"] * 5e-7)


async def test_a_structured_answer_is_json() -> None:
    async with simulator() as client:
        body = (await send_chat(client, response_format=json_schema(STRICT))).json()
    assert isinstance(json.loads(body["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"max_tokens": 100}, 400, "unsupported_parameter", "max_tokens"),
        ({"stop": ["x"]}, 400, "unsupported_parameter", "stop"),
        ({"temperature": 0.2}, 400, "unsupported_value", "temperature"),
        ({"model": "gpt-3.5-turbo"}, 404, "model_not_found", None),
        ({"messages": None}, 400, "invalid_type", "messages"),
        ({"messages": []}, 400, "invalid_value", "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "invalid_value", "messages[0].role"),
        ({"foo": 1}, 400, "unknown_parameter", "foo"),
        ({"response_format": {"type": "xml"}}, 400, "invalid_value", "response_format.type"),
        (
            {"response_format": {"type": "json_schema"}},
            400,
            "missing_required_parameter",
            "response_format.json_schema",
        ),
        ({"response_format": {"type": "json_object"}}, 400, None, "messages"),
        ({"response_format": json_schema(STRICT, "x" * 65)}, 400, "invalid_value", "response_format.json_schema.name"),
        ({"response_format": json_schema({**STRICT, "required": []})}, 400, None, "response_format"),
        ({"response_format": json_schema({"type": "object", "properties": {}})}, 400, None, "response_format"),
        ({"stream": True}, 400, "unsupported_parameter", "stream"),
    ],
)
async def test_a_request_the_provider_would_not_take_is_refused_and_not_booked(
    fields: dict[str, object], status: int, code: str | None, param: str | None
) -> None:
    async with simulator() as client:
        reply = await client.post(CHAT, json={**chat(), **fields}, headers=OPENAI_KEY)
        bill = (await client.get("/bill")).json()
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["param"]) == (status, code, param)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert bill["totals"]["calls"] == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "We could not parse the JSON body of your request."),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "you must provide a model parameter"),
        (b'{"model": "gpt-6-luna"}', "Missing required parameter: 'messages'."),
    ],
)
async def test_an_incomplete_request_is_told_what_is_missing(body: bytes, message: str) -> None:
    async with simulator() as client:
        reply = await client.post(CHAT, content=body, headers=OPENAI_KEY)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(message)


async def test_an_answer_longer_than_its_limit_ends_with_length() -> None:
    async with simulator() as client:
        body = (await send_chat(client, max_completion_tokens=20)).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 20


async def test_an_older_model_takes_max_tokens_and_temperature() -> None:
    async with simulator() as client:
        reply = await send_chat(client, model="gpt-4o-mini", max_tokens=4000, temperature=0.2)
    assert reply.status_code == 200
    assert reply.json()["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


async def test_the_chat_path_tells_a_perplexity_key_that_sonar_is_retired() -> None:
    async with simulator() as client:
        reply = await client.post(CHAT, json=chat(), headers=PERPLEXITY_KEY)
    assert (reply.status_code, reply.json()["error"]["type"]) == (403, "chat_completions_not_available")


async def test_a_completion_takes_its_scaled_time() -> None:
    async with simulator(time_scale=0.01) as client:
        started = time.monotonic()
        reply: httpx.Response = await send_chat(client)
        seconds = time.monotonic() - started
    assert seconds >= 0.08
    assert int(reply.headers["openai-processing-ms"]) >= 80
