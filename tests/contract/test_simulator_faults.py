"""Every fault the simulator can be told to make, at the place where a client meets it."""

import asyncio
import json
import time

import httpx
import pytest

from tests.contract.test_simulator_server import (
    AGENT,
    CHAT,
    OPENAI_KEY,
    PERPLEXITY_KEY,
    calls,
    chat,
    poll,
    running,
    script,
    send_chat,
    send_run,
    simulator,
)


async def outcome_of(client: httpx.AsyncClient) -> dict[str, object]:
    """Run one search to its end and return its body."""
    return (await poll(client, (await send_run(client)).json()["id"])).json()


def text_of(body: dict[str, object]) -> str:
    output = body["output"]
    assert isinstance(output, list)
    return output[-1]["content"][0]["text"]


@pytest.mark.parametrize(
    ("fault", "status", "type_", "code"),
    [
        ({"status": 500}, 500, "server_error", None),
        ({"status": 503}, 503, "service_unavailable_error", "server_is_overloaded"),
        ({"status": 418, "code": "odd", "type": "teapot"}, 418, "teapot", "odd"),
        ({"code": "insufficient_quota"}, 429, "insufficient_quota", "insufficient_quota"),
        ({"code": "credit_balance_exhausted"}, 429, "insufficient_quota", "credit_balance_exhausted"),
        ({"code": "request_too_large"}, 429, "tokens", "rate_limit_exceeded"),
        ({"code": "context_length_exceeded"}, 400, "invalid_request_error", "context_length_exceeded"),
        ({"code": "invalid_prompt"}, 400, "invalid_request_error", "invalid_prompt"),
        ({"code": "server_is_overloaded"}, 503, "service_unavailable_error", "server_is_overloaded"),
    ],
)
async def test_openai_answers_a_scripted_error_in_its_own_words(
    fault: dict[str, object], status: int, type_: str, code: str | None
) -> None:
    async with simulator() as client:
        await script(client, {"kind": "status", **fault})
        reply = await send_chat(client)
        assert await calls(client) == []
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["code"]) == (status, type_, code)


@pytest.mark.parametrize(
    ("fault", "status", "type_"),
    [
        ({"status": 500}, 500, "internal_error"),
        ({"status": 502}, 502, "bad_gateway"),
        ({"status": 503}, 503, "internal_error"),
        ({"type": "insufficient_quota"}, 401, "insufficient_quota"),
        ({"status": 400, "type": "invalid_parameter"}, 400, "invalid_parameter"),
    ],
)
async def test_perplexity_answers_a_scripted_error_in_its_own_words(
    fault: dict[str, object], status: int, type_: str
) -> None:
    async with simulator() as client:
        await script(client, {"kind": "status", **fault})
        reply = await send_run(client)
        assert await calls(client) == []
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["code"]) == (status, type_, status)


@pytest.mark.parametrize(
    ("retry_after", "header", "wait"), [(None, None, "1.146s"), (7, "7", "7s"), (0.2, "1", "0.2s")]
)
async def test_an_openai_rate_limit_names_the_wait_with_or_without_the_header(
    retry_after: float | None, header: str | None, wait: str
) -> None:
    async with simulator() as client:
        await script(client, {"kind": "rate_limit", "retryAfter": retry_after})
        reply = await send_chat(client)
    assert reply.status_code == 429
    assert reply.headers.get("retry-after") == header
    assert f"Please try again in {wait}." in reply.json()["error"]["message"]
    assert reply.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_perplexity_rate_limit_never_names_the_wait() -> None:
    async with simulator() as client:
        await script(client, {"kind": "rate_limit", "retryAfter": 7})
        reply = await send_run(client)
    assert reply.status_code == 429
    assert "retry-after" not in reply.headers
    assert reply.json()["error"] == {
        "message": "Request rate limit exceeded, please try again later.",
        "type": "request_rate_limit_exceeded",
        "code": 429,
    }


async def test_a_delayed_call_is_booked_before_it_is_answered() -> None:
    async with simulator() as client:
        await script(client, {"kind": "delay", "seconds": 3})
        started = time.monotonic()
        waiting = asyncio.create_task(send_chat(client))
        while not await calls(client):
            assert not waiting.done()
        assert not waiting.done()
        assert (await waiting).status_code == 200
        assert time.monotonic() - started >= 2.9


@pytest.mark.parametrize(("reset", "error"), [(False, httpx.RemoteProtocolError), (True, httpx.ReadError)])
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (CHAT, chat(), OPENAI_KEY),
        (AGENT, {"model": "perplexity/sonar", "input": "x", "background": True}, PERPLEXITY_KEY),
    ],
)
async def test_an_accepted_call_may_lose_its_reply_and_is_booked(
    reset: bool, error: type[Exception], path: str, body: dict[str, object], key: dict[str, str]
) -> None:
    async with simulator() as client:
        await script(client, {"kind": "accept_then_cut", "reset": reset, "times": 1})
        with pytest.raises(error):
            await client.post(path, json=body, headers=key)
        [lost] = await calls(client)
        assert (await client.post(path, json=body, headers=key)).status_code == 200
        assert len(await calls(client)) == 2
    assert lost["replyLost"] is True
    assert lost["outcome"] == "completed"


async def test_a_run_whose_reply_was_lost_can_be_collected_by_its_id() -> None:
    async with simulator() as client:
        await script(client, {"kind": "accept_then_cut", "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await send_run(client)
        [lost] = await calls(client)
        body = (await poll(client, str(lost["runId"]))).json()
    assert body["status"] == "completed"
    assert body["usage"]["cost"]["total_cost"] == lost["costUsd"]


@pytest.mark.parametrize("send", [send_chat, send_run])
async def test_a_call_cut_before_it_is_accepted_is_not_booked(send: object) -> None:
    async with simulator() as client:
        await script(client, {"kind": "cut_before_accept", "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await send(client)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        assert await calls(client) == []


@pytest.mark.parametrize("operation", ["poll", "cancel"])
async def test_polls_and_cancels_can_be_cut_too(operation: str) -> None:
    async with simulator(time_scale=1) as client:
        run_id = (await send_run(client)).json()["id"]
        await script(client, {"kind": "accept_then_cut", "operation": operation, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await (
                poll(client, run_id)
                if operation == "poll"
                else client.post(f"{AGENT}/{run_id}/cancel", headers=PERPLEXITY_KEY)
            )
        status = (await poll(client, run_id)).json()["status"]
    assert status == ("queued" if operation == "poll" else "cancelled")


@pytest.mark.parametrize("send", [send_chat, send_run])
@pytest.mark.parametrize(("accepted", "booked"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("status", [502, 504, 520])
async def test_a_gateway_answers_html_and_its_call_may_be_booked(
    send: object, accepted: bool, booked: int, status: int
) -> None:
    async with simulator() as client:
        await script(client, {"kind": "html_error", "status": status, "accepted": accepted})
        reply = await send(client)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        assert len(await calls(client)) == booked
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith("text/html")
    assert str(status) in reply.text


async def test_truncated_and_fenced_and_ill_fitting_answers_of_gpt() -> None:
    async with simulator() as client:
        wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        good = (await send_chat(client, response_format=wanted)).json()["choices"][0]["message"]["content"]
        said: list[str] = []
        for kind in ("truncated_json", "fenced_json", "bad_schema"):
            await script(client, {"kind": kind, "times": 1})
            body = (await send_chat(client, response_format=wanted)).json()
            said.append(body["choices"][0]["message"]["content"])
    truncated, fenced, ill_fitting = said
    assert good.startswith(truncated)
    assert len(truncated) < len(good)
    assert fenced == f"```json\n{good}\n```"
    assert json.loads(ill_fitting) == {"unexpected": True}


async def test_truncated_and_fenced_and_ill_fitting_answers_of_a_search() -> None:
    async with simulator() as client:
        good = text_of(await outcome_of(client))
        said: list[str] = []
        for kind in ("truncated_json", "fenced_json", "bad_schema"):
            await script(client, {"kind": kind, "times": 1})
            said.append(text_of(await outcome_of(client)))
    assert good.startswith(said[0])
    assert said[1] == f"```json\n{good}\n```"
    assert json.loads(said[2]) == {"unexpected": True}


@pytest.mark.parametrize("send", [send_chat, send_run])
async def test_a_whole_reply_may_be_unreadable_though_the_call_is_booked(send: object) -> None:
    async with simulator() as client:
        await script(client, {"kind": "truncated_json", "where": "body", "times": 1})
        reply = await send(client)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        [entry] = await calls(client)
    assert reply.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        reply.json()
    assert entry["replyLost"] is True


async def test_a_refusal_is_a_200_without_content() -> None:
    async with simulator() as client:
        await script(client, {"kind": "refusal", "message": "no"})
        message = (await send_chat(client)).json()["choices"][0]["message"]
        [entry] = await calls(client)
    assert (message["refusal"], message["content"]) == ("no", None)
    assert entry["outcome"] == "refused"


async def test_running_out_of_tokens_leaves_nothing_but_the_bill() -> None:
    async with simulator() as client:
        await script(client, {"kind": "length"})
        completion = (await send_chat(client, max_completion_tokens=50)).json()
        search = await outcome_of(client)
        entries = await calls(client)
    assert completion["choices"][0]["message"]["content"] == ""
    assert completion["choices"][0]["finish_reason"] == "length"
    assert completion["usage"]["completion_tokens_details"]["reasoning_tokens"] == 50
    assert (search["status"], search["output"]) == ("incomplete", [])
    assert search["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [entry["outcome"] for entry in entries] == ["incomplete", "incomplete"]


async def test_a_slow_run_stays_unfinished_for_so_many_polls() -> None:
    async with simulator() as client:
        await script(client, {"kind": "slow_poll", "polls": 2, "times": 1})
        run_id = (await send_run(client)).json()["id"]
        seen = [(await poll(client, run_id)).json()["status"] for _ in range(3)]
    assert seen == ["in_progress", "in_progress", "completed"]


async def test_a_slow_run_stays_unfinished_for_so_many_seconds() -> None:
    async with simulator() as client:
        await script(client, {"kind": "slow_poll", "seconds": 2})
        sent = time.monotonic()
        run_id = (await send_run(client)).json()["id"]
        accepted = time.monotonic()
        seen: list[tuple[str, float]] = []
        while not seen or seen[-1][0] != "completed":
            asked = time.monotonic()
            seen.append(((await poll(client, run_id)).json()["status"], asked))
            await asyncio.sleep(0.05)
    assert time.monotonic() - sent >= 2
    assert not [status for status, asked in seen if status != "completed" and asked >= accepted + 2]


@pytest.mark.parametrize("operation", ["submit", "poll"])
async def test_a_failed_run_is_a_200_and_costs_its_searches(operation: str) -> None:
    async with simulator() as client:
        good = await outcome_of(client)
        await script(client, {"kind": "failed_run", "operation": operation, "message": "broken"})
        bad = await outcome_of(client)
        whole, part = await calls(client)
    assert bad["status"] == "failed"
    assert bad["output"] == []
    assert bad["error"] == {"message": "broken", "type": "internal_error", "code": 500}
    assert good["error"] is None
    assert part["outcome"] == "failed"
    assert 0 < float(str(part["costUsd"])) < float(str(whole["costUsd"]))
    usage = bad["usage"]
    assert isinstance(usage, dict)
    assert usage["cost"]["total_cost"] == part["costUsd"]


async def test_a_search_may_come_without_sources() -> None:
    async with simulator() as client:
        await script(client, {"kind": "no_sources"})
        body = await outcome_of(client)
    assert isinstance(body["output"], list)
    assert [item["type"] for item in body["output"]] == ["message"]


async def test_a_poll_may_be_told_that_the_run_is_unknown() -> None:
    async with simulator() as client:
        await script(client, {"kind": "unknown_run", "times": 1})
        run_id = (await send_run(client)).json()["id"]
        replies = [await poll(client, run_id), await poll(client, run_id)]
    assert [reply.status_code for reply in replies] == [404, 200]


async def test_a_fault_strikes_only_the_task_provider_and_operation_it_names() -> None:
    async with simulator() as client:
        await script(
            client,
            {"kind": "status", "status": 500, "provider": "openai", "match": ".1T."},
            {"kind": "status", "status": 503, "provider": "perplexity", "operation": "poll"},
        )
        struck = await send_chat(client, task_id="ses_1.1T.g1.0")
        spared = await send_chat(client, task_id="ses_1.2T.g1.0")
        submitted = await send_run(client)
        polled = await poll(client, submitted.json()["id"])
    assert [each.status_code for each in (struck, spared, submitted, polled)] == [500, 200, 200, 503]


async def test_a_fault_strikes_as_often_as_it_was_asked_to_and_is_counted() -> None:
    async with simulator() as client:
        await script(client, {"kind": "status", "status": 500, "times": 2})
        statuses = [(await send_chat(client)).status_code for _ in range(4)]
        [shown] = (await client.get("/faults")).json()["faults"]
    assert statuses == [500, 500, 200, 200]
    assert (shown["hits"], shown["usedUp"]) == (2, True)


async def test_chance_is_the_same_in_any_order() -> None:
    async def struck(tasks: list[str]) -> set[str]:
        async with simulator() as client:
            await script(client, {"kind": "status", "status": 500, "probability": 0.5})
            return {task for task in tasks if (await send_chat(client, task_id=task)).status_code == 500}

    tasks = [f"task-{number}" for number in range(40)]
    assert await struck(tasks) == await struck(tasks[::-1])
    assert 8 <= len(await struck(tasks)) <= 32


async def test_faults_can_be_cleared_without_touching_runs_or_bill() -> None:
    async with simulator() as client:
        run_id = (await send_run(client)).json()["id"]
        await script(client, {"kind": "status", "status": 500})
        await client.delete("/faults")
        assert (await poll(client, run_id)).status_code == 200
        assert len(await calls(client)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explosion"},
        {"kind": "status", "statsu": 500},
        {"kind": "delay"},
        {"kind": "refusal", "provider": "perplexity"},
        {"kind": "unknown_run", "operation": "submit"},
        {"kind": "status", "probability": 2},
    ],
)
async def test_a_fault_that_makes_no_sense_is_not_taken(fault: dict[str, object]) -> None:
    async with simulator() as client:
        assert (await client.post("/faults", json=fault)).status_code == 422


def test_faults_can_be_set_from_the_start() -> None:
    faults = '[{"kind": "status", "status": 500, "times": 1}]'
    with running(faults=faults) as url, httpx.Client(base_url=url, headers=OPENAI_KEY) as client:
        assert [client.post(CHAT, json=chat()).status_code for _ in range(2)] == [500, 200]
