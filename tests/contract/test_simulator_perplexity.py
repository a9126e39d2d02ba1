"""The Agent API on the wire: providers.md section 2.1, and the retired paths."""

import asyncio
import time

import httpx
import pytest

from tests.contract.test_simulator_server import (
    AGENT,
    PERPLEXITY_KEY,
    calls,
    poll,
    run,
    send_run,
    simulator,
)


async def finished(client: httpx.AsyncClient, run_id: str) -> dict[str, object]:
    while True:
        body = (await poll(client, run_id)).json()
        if body["status"] not in ("queued", "in_progress"):
            return body
        await asyncio.sleep(0.02)


async def cancel(client: httpx.AsyncClient, run_id: str) -> httpx.Response:
    return await client.post(f"{AGENT}/{run_id}/cancel", headers=PERPLEXITY_KEY)


@pytest.mark.parametrize("path", ["/v1/agent", "/v1/responses"])
async def test_a_background_run_is_queued_then_works_then_is_completed(path: str) -> None:
    order = ["queued", "in_progress", "completed"]
    async with simulator(time_scale=0.01) as client:
        sent = time.monotonic()
        body = (await client.post(path, json=run(), headers=PERPLEXITY_KEY)).json()
        accepted = time.monotonic()
        assert (body["status"], body["output"], body["usage"]) == ("queued", [], None)
        seen: list[tuple[str, float]] = []
        while not seen or seen[-1][0] != "completed":
            asked = time.monotonic()
            body = (await client.get(f"{path}/{body['id']}", headers=PERPLEXITY_KEY)).json()
            seen.append((body["status"], asked))
            await asyncio.sleep(0.01)
    ended = time.monotonic()
    assert [status for status, _ in seen] == sorted((status for status, _ in seen), key=order.index)
    assert ended - sent >= 0.55  # 55 s at the least, and 95 s at the most, a hundred times as fast
    assert not [status for status, asked in seen if status != "completed" and asked >= accepted + 0.95]


async def test_a_completed_run_has_sources_text_and_its_own_price() -> None:
    async with simulator() as client:
        reply = await poll(client, (await send_run(client)).json()["id"])
        [call] = await calls(client)
    body = reply.json()
    items = body["output"]
    assert [item["type"] for item in items[-2:]] == ["search_results", "message"]
    assert {item["type"] for item in items[:-1]} == {"search_results"}
    numbers = [result["id"] for item in items[:-1] for result in item["results"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert items[-1]["content"][0]["type"] == "output_text"
    cost = body["usage"]["cost"]
    assert 0.005 < cost["total_cost"] < 0.03
    parts = cost["input_cost"] + cost["output_cost"] + cost["tool_calls_cost"]
    assert cost["total_cost"] == pytest.approx(parts)
    assert cost["tool_calls_cost_details"] == {"search_web": 0.0025 * (len(items) - 1)}
    assert body["usage"]["tool_calls_details"]["search_web"]["invocation"] == len(items) - 1
    assert "input_tokens_details" not in body["usage"]
    assert call["costUsd"] == cost["total_cost"]


async def test_headers_tell_the_run_id_and_an_epoch_second() -> None:
    before = time.time()
    async with simulator() as client:
        reply = await send_run(client)
    assert reply.headers["x-request-id"] == reply.json()["id"].removeprefix("resp_")
    assert reply.headers["x-ratelimit-limit"] == "50"
    assert reply.headers["x-ratelimit-remaining"] == "49"
    assert reply.headers["x-ratelimit-used"] == "1"
    assert before <= int(reply.headers["x-ratelimit-reset"]) <= time.time() + 60 / 50 + 1  # until one of 50 is back


async def test_a_preset_is_named_until_the_run_is_completed() -> None:
    fields: dict[str, object] = {"model": None, "preset": "medium", "tools": None}
    request = {name: value for name, value in {**run(), **fields}.items() if value is not None}
    async with simulator(time_scale=0.005) as client:
        body = (await client.post(AGENT, json=request, headers=PERPLEXITY_KEY)).json()
        assert body["model"] == "medium"
        assert (await finished(client, body["id"]))["model"] == "openai/gpt-6-luna"


async def test_timestamps_move_with_every_look() -> None:
    async with simulator() as client:
        run_id = (await send_run(client)).json()["id"]
        first = (await poll(client, run_id)).json()
        await asyncio.sleep(1.01)
        second = (await poll(client, run_id)).json()
    assert second["created_at"] > first["created_at"]
    assert second["completed_at"] > first["completed_at"]


async def test_without_background_the_answer_comes_at_once_in_full() -> None:
    async with simulator() as client:
        body = (await send_run(client, background=False)).json()
    assert (body["status"], body["background"]) == ("completed", False)


async def test_nothing_is_searched_without_the_tool() -> None:
    async with simulator() as client:
        body = (await send_run(client, background=False, tools=[])).json()
    assert [item["type"] for item in body["output"]] == ["message"]
    assert "tool_calls_cost" not in body["usage"]["cost"]


async def test_tool_calls_stay_within_their_limit() -> None:
    async with simulator() as client:
        body = (await send_run(client, background=False, max_tool_calls=1)).json()
    assert body["usage"]["cost"]["tool_calls_cost"] == 0.0025


async def test_an_answer_longer_than_its_limit_is_incomplete() -> None:
    async with simulator() as client:
        body = (await send_run(client, background=False, max_output_tokens=1)).json()
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["usage"]["output_tokens"] == 16


@pytest.mark.parametrize(
    ("fields", "param", "type_"),
    [
        ({"foo": 1}, "foo", "invalid_request"),
        ({"messages": []}, "messages", "invalid_request"),
        ({"max_tokens": 10}, "max_tokens", "invalid_request"),
        ({"seed": 1}, "seed", "invalid_request"),
        ({"text": {"format": {"type": "text"}}}, "text", "invalid_request"),
        ({"tools": [{"type": "web_search", "depth": 1}]}, "tools[0].depth", "invalid_request"),
        (
            {"tools": [{"type": "web_search", "filters": {"domain": "x"}}]},
            "tools[0].filters.domain",
            "invalid_request",
        ),
        (
            {"input": [{"type": "message", "role": "user", "content": "x", "id": 1}]},
            "input[0].id",
            "invalid_request",
        ),
        ({"input": [{"role": "user", "content": "x"}]}, "input[0].type", "invalid_request"),
        ({"input": 5}, "input", "invalid_request"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "invalid_request"),
        ({"metadata": {"attempt": 1}}, "metadata.attempt", "invalid_request"),
        ({"store": False}, "background", "invalid_request"),
        ({"model": "sonar"}, "model", "invalid_model"),
        ({"model": "sonar-pro"}, "model", "invalid_model"),
        (
            {"tools": [{"type": "web_search", "filters": {"search_domain_filter": ["https://a.jp"]}}]},
            "tools[0].filters.search_domain_filter",
            "invalid_search_domain_filter",
        ),
        (
            {
                "tools": [
                    {
                        "type": "web_search",
                        "filters": {"search_recency_filter": "week", "search_after_date_filter": "01/01/2026"},
                    }
                ]
            },
            "tools[0].filters.search_recency_filter",
            "invalid_request",
        ),
    ],
)
async def test_a_request_the_provider_would_not_take_is_refused_and_not_booked(
    fields: dict[str, object], param: str, type_: str
) -> None:
    async with simulator() as client:
        reply = await client.post(AGENT, json={**run(), **fields}, headers=PERPLEXITY_KEY)
        assert await calls(client) == []
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (400, 400)
    assert (error["param"], error["type"]) == (param, type_)


async def test_messages_presets_and_filters_are_taken() -> None:
    request: dict[str, object] = {
        "preset": "low",
        "input": [
            {"type": "message", "role": "system", "content": "be brief"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "AI"}]},
        ],
        "tools": [
            {
                "type": "web_search",
                "search_context_size": "low",
                "filters": {"search_recency_filter": "week", "search_domain_filter": ["nhk.or.jp", "-x.com"]},
            }
        ],
        "tool_choice": {"type": "web_search"},
        "max_steps": 3,
        "instructions": "answer in Japanese",
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    }
    async with simulator() as client:
        reply = await client.post(AGENT, json=request, headers=PERPLEXITY_KEY)
    assert reply.status_code == 200
    assert reply.json()["status"] == "completed"


async def test_a_cancelled_run_shows_no_usage_but_costs_its_searches() -> None:
    async with simulator(time_scale=1) as client:
        run_id = (await send_run(client)).json()["id"]
        [before] = await calls(client)
        reply = await cancel(client, run_id)
        body = (await poll(client, run_id)).json()
        [after] = await calls(client)
    assert reply.json() == {"response_id": run_id, "status": "cancelling"}
    assert (body["status"], body["usage"]) == ("cancelled", None)
    assert after["outcome"] == "cancelled"
    assert 0 < float(str(after["costUsd"])) < float(str(before["costUsd"]))


async def test_cancelling_what_has_ended_or_never_was_is_400() -> None:
    async with simulator() as client:
        run_id = (await send_run(client)).json()["id"]
        replies = [await cancel(client, run_id), await cancel(client, "resp_unknown")]
        assert (await poll(client, run_id)).json()["status"] == "completed"
    assert [reply.status_code for reply in replies] == [400, 400]
    assert all("terminal" in reply.json()["error"]["message"] for reply in replies)


async def test_an_unknown_or_unstored_run_is_404() -> None:
    async with simulator() as client:
        unstored = (await send_run(client, background=False, store=False)).json()["id"]
        replies = [await poll(client, "resp_unknown"), await poll(client, unstored)]
    assert [(reply.status_code, reply.json()["error"]["type"]) for reply in replies] == [(404, "not_found")] * 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/chat/completions"),
        ("POST", "/v1/sonar"),
        ("POST", "/v1/async/sonar"),
        ("GET", "/v1/async/sonar/1"),
        ("GET", "/async/chat/completions/1"),
    ],
)
async def test_sonar_is_retired(method: str, path: str) -> None:
    async with simulator() as client:
        reply = await client.request(method, path, headers=PERPLEXITY_KEY)
    assert reply.status_code == 403
    error = reply.json()["error"]
    assert (error["type"], error["code"]) == ("chat_completions_not_available", 403)
    assert error["message"].startswith("Sonar is now the Agent API.")


async def test_many_runs_are_in_flight_at_once() -> None:
    async with simulator(time_scale=1) as client:  # a run takes a minute: none ends while the others are being sent
        replies = await asyncio.gather(*(send_run(client, text=f"question {n}") for n in range(200)))
        stats = (await client.get("/stats")).json()
    assert {reply.json()["status"] for reply in replies} == {"queued"}
    assert stats["perplexity"]["inFlight"] == 200
