"""Our adapters against every fault of the simulator: what they say of a call is what the provider's bill says of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    InvalidOutput,
    Misconfigured,
    NotBought,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    RunFailed,
    RunLost,
)
from ekiden.worker.adapter import Adapter, Call, Submitted
from ekiden.worker.http import ProviderClient
from ekiden.worker.lease import Leases
from ekiden_gpt_worker.openai_chat import OpenAIChat
from ekiden_perplexity_worker.perplexity_agent import PerplexityAgent
from tests.contract.test_simulator_server import calls, script, send_chat, send_run, simulator

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"topic": {"type": "string"}},
    "required": ["topic"],
    "additionalProperties": False,
}
REQUEST: dict[str, object] = {"system": "Be brief.", "user": "Why tea?", "maxOutputTokens": 2000}
CALL = Call("ses_1.1T.g1.0", 1, {**REQUEST, "schemaName": "topic", "schema": SCHEMA})
SEARCH = Call("ses_1.1E.g1.0", 1, REQUEST)

BOTH: list[tuple[dict[str, object], type[ProviderError], int]] = [
    ({"kind": "status", "status": 500}, ProviderUnavailable, 0),
    ({"kind": "status", "status": 503}, ProviderUnavailable, 0),
    ({"kind": "status", "status": 500, "accepted": True}, ProviderUnavailable, 1),
    ({"kind": "status", "status": 502}, OutcomeUnknown, 0),
    ({"kind": "status", "status": 504, "accepted": True}, OutcomeUnknown, 1),
    ({"kind": "status", "status": 401}, AuthenticationFailed, 0),
    ({"kind": "status", "code": "invalid_api_key"}, AuthenticationFailed, 0),
    ({"kind": "status", "code": "insufficient_quota"}, QuotaExhausted, 0),
    ({"kind": "status", "status": 400}, RequestRejected, 0),
    ({"kind": "rate_limit"}, RateLimited, 0),
    ({"kind": "cut_before_accept"}, OutcomeUnknown, 0),
    ({"kind": "cut_before_accept", "reset": True}, OutcomeUnknown, 0),
    ({"kind": "accept_then_cut"}, OutcomeUnknown, 1),
    ({"kind": "accept_then_cut", "reset": True}, OutcomeUnknown, 1),
    *[
        ({"kind": "html_error", "status": status, "accepted": accepted}, OutcomeUnknown, int(accepted))
        for status in (200, 408, 499, 500, 502, 503, 504, 520, 522, 524, 529)
        for accepted in (False, True)
    ],
    ({"kind": "html_error", "status": 403}, AuthenticationFailed, 0),
    ({"kind": "html_error", "status": 404}, Misconfigured, 0),
    ({"kind": "html_error", "status": 429}, RateLimited, 0),
    ({"kind": "redirect"}, OutcomeUnknown, 0),
    ({"kind": "redirect", "status": 303, "accepted": True}, OutcomeUnknown, 1),
    ({"kind": "empty_reply"}, OutcomeUnknown, 1),
    ({"kind": "empty_reply", "status": 204}, OutcomeUnknown, 1),
    ({"kind": "truncated_json", "where": "body"}, OutcomeUnknown, 1),
    ({"kind": "slow_drip", "seconds": 60}, OutcomeUnknown, 1),
    ({"kind": "huge_reply", "size": 17 * 1024 * 1024}, OutcomeUnknown, 1),
]
CHATS: list[tuple[dict[str, object], type[ProviderError], int]] = [
    ({"kind": "status", "code": "credit_balance_exhausted"}, QuotaExhausted, 0),
    ({"kind": "status", "code": "request_too_large"}, ContextTooLong, 0),
    ({"kind": "status", "code": "context_length_exceeded"}, ContextTooLong, 0),
    ({"kind": "status", "code": "slow_down"}, RateLimited, 0),
    ({"kind": "status", "code": "server_is_overloaded"}, ProviderUnavailable, 0),
    ({"kind": "status", "code": "model_not_found"}, RequestRejected, 0),
    ({"kind": "status", "code": "invalid_prompt"}, RequestRejected, 0),
    ({"kind": "refusal"}, RequestRejected, 1),
    ({"kind": "length"}, InvalidOutput, 1),
    ({"kind": "truncated_json"}, InvalidOutput, 1),
    ({"kind": "bad_schema"}, InvalidOutput, 1),
]
SEARCHES: list[tuple[dict[str, object], type[ProviderError], int]] = [
    ({"kind": "status", "type": "chat_completions_not_available"}, Misconfigured, 0),
    ({"kind": "status", "type": "agent_api_migration_required"}, Misconfigured, 0),
    ({"kind": "status", "type": "forbidden", "status": 403}, AuthenticationFailed, 0),
    ({"kind": "status", "type": "external_connector_error"}, ProviderUnavailable, 0),
]
POLLS: list[tuple[dict[str, object], type[ProviderError]]] = [
    ({"kind": "failed_run"}, RunFailed),
    ({"kind": "failed_run", "usage": False}, RunFailed),
    ({"kind": "unknown_run"}, RunLost),
    ({"kind": "status", "status": 401}, ProviderUnavailable),
    ({"kind": "rate_limit"}, ProviderUnavailable),
    ({"kind": "html_error"}, ProviderUnavailable),
    ({"kind": "html_error", "status": 200}, ProviderUnavailable),
    ({"kind": "html_error", "status": 404}, ProviderUnavailable),
    ({"kind": "redirect"}, ProviderUnavailable),
    ({"kind": "empty_reply"}, ProviderUnavailable),
    ({"kind": "accept_then_cut", "reset": True}, ProviderUnavailable),
    ({"kind": "truncated_json", "where": "body"}, ProviderUnavailable),
    ({"kind": "huge_reply", "size": 17 * 1024 * 1024}, ProviderUnavailable),
]


@asynccontextmanager
async def openai(client: httpx.AsyncClient, deadline: float = 30.0) -> AsyncGenerator[Adapter]:
    at = ProviderClient(str(client.base_url.join("/v1")), {"Authorization": "Bearer sk-test"}, connections=1)
    adapter = OpenAIChat(at, "gpt-6-luna", deadline_seconds=deadline)
    yield adapter
    await adapter.close()


@asynccontextmanager
async def perplexity(client: httpx.AsyncClient) -> AsyncGenerator[Adapter]:
    key = {"Authorization": "Bearer pplx-test"}
    at = ProviderClient(str(client.base_url), key, connections=1, reuse=False)
    adapter = PerplexityAgent(at, ProviderClient(str(client.base_url), key, connections=1), "perplexity/sonar")
    yield adapter
    await adapter.close()


def shown(value: object) -> str | None:
    return "-".join(map(str, value.values())) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of any dict


async def submitted(adapter: Adapter, call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await adapter.submit(call, Leases().fence(float("inf")))
    return caught.value


async def agrees(client: httpx.AsyncClient, error: ProviderError, kind: type[ProviderError], booked: int) -> None:
    """What we say is what the row says, the bill too, and the fault is counted once."""
    assert type(error) is kind
    assert len(await calls(client)) == booked
    [fault] = (await client.get("/faults")).json()["faults"]
    assert fault["hits"] == 1


@pytest.mark.parametrize(("fault", "kind", "booked"), [*BOTH, *CHATS], ids=shown)
async def test_a_chat_that_meets_a_fault_is_classified_by_its_wire(
    fault: dict[str, object], kind: type[ProviderError], booked: int
) -> None:
    trickles = fault["kind"] == "slow_drip"
    async with simulator() as client, openai(client, 2.0 if trickles else 30.0) as adapter:
        await script(client, fault)
        await agrees(client, await submitted(adapter, CALL), kind, booked)


@pytest.mark.parametrize(("fault", "kind", "booked"), [*BOTH, *SEARCHES], ids=shown)
async def test_a_search_that_meets_a_fault_is_classified_by_its_wire(
    fault: dict[str, object], kind: type[ProviderError], booked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault["kind"] == "slow_drip":
        monkeypatch.setattr("ekiden_perplexity_worker.perplexity_agent.SUBMIT_SECONDS", 2.0)
    async with simulator() as client, perplexity(client) as adapter:
        await script(client, fault)
        await agrees(client, await submitted(adapter, SEARCH), kind, booked)


@pytest.mark.parametrize(("fault", "kind"), POLLS, ids=shown)
async def test_a_poll_that_meets_a_fault_is_classified_by_its_wire(
    fault: dict[str, object], kind: type[ProviderError]
) -> None:
    async with simulator() as client, perplexity(client) as adapter:
        run = await adapter.submit(SEARCH, Leases().fence(float("inf")))
        assert isinstance(run, Submitted)
        await script(client, {**fault, "operation": "poll"})
        with pytest.raises(ProviderError) as caught:
            await adapter.collect(run.run_id)
        await agrees(client, caught.value, kind, 1)


def test_what_we_hold_for_not_bought_is_not_on_the_bill() -> None:
    """But for the one case that DESIGN 6 trusts: a 500 in the provider's own words."""
    trusted = ({"kind": "status", "status": 500, "accepted": True}, ProviderUnavailable, 1)
    for row in (*BOTH, *CHATS, *SEARCHES):
        assert row == trusted or not (issubclass(row[1], NotBought) and row[2])


# ── how many faults there really were ────────────────────────────────────────────────────────────────────


async def test_faults_are_counted_by_provider_and_kind_also_after_they_are_cleared() -> None:
    async with simulator() as client:
        await script(client, {"kind": "status", "status": 500, "times": 2}, {"kind": "rate_limit", "times": 1})
        for _ in range(4):
            await send_chat(client)
        await script(client, {"kind": "no_sources"}, {"kind": "delay", "seconds": 0, "provider": "openai"})
        await send_run(client)
        await send_chat(client)
        await client.delete("/faults")
        struck = (await client.get("/stats")).json()["faults"]
        await client.post("/reset")
        assert (await client.get("/stats")).json()["faults"] == {"openai": {}, "perplexity": {}}
    assert struck == {"openai": {"delay": 1, "rate_limit": 1, "status": 2}, "perplexity": {"no_sources": 1}}


@pytest.mark.parametrize(
    ("setting", "send"), [("openai_rate_per_minute", send_chat), ("perplexity_rate_per_minute", send_run)]
)
async def test_a_cut_that_the_rate_limit_forestalled_is_not_counted(setting: str, send: object) -> None:
    async with simulator(**{setting: 1}) as client:
        await send(client)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        await script(client, {"kind": "delay", "seconds": 0}, {"kind": "accept_then_cut", "times": 1})
        refused = await send(client)  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues] - one of the two above
        shown = (await client.get("/faults")).json()["faults"]
        struck = (await client.get("/stats")).json()["faults"]
    assert refused.status_code == 429
    assert [fault["hits"] for fault in shown] == [0, 0]
    assert struck == {"openai": {}, "perplexity": {}}


async def test_faults_strike_as_often_under_load_as_they_are_counted() -> None:
    async with simulator() as client:
        await script(client, {"kind": "status", "status": 500, "probability": 0.3})
        replies = await asyncio.gather(*(send_chat(client, task_id=f"task-{number}") for number in range(100)))
        struck = (await client.get("/stats")).json()["faults"]["openai"]["status"]
    assert struck == sum(reply.status_code == 500 for reply in replies)
    assert 10 <= struck <= 60


async def test_a_reply_that_trickles_arrives_whole_for_whom_it_is_not_too_slow() -> None:
    async with simulator() as client:
        await script(client, {"kind": "slow_drip", "seconds": 0.0001, "times": 1})
        dripped = await send_chat(client)
        assert dripped.json()["choices"]
        assert [entry["replyLost"] for entry in await calls(client)] == [True]
