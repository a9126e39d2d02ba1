"""Perplexity's Agent API: what we send, how a run ends, and what each refusal is (providers.md, 2.1)."""

import json
from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    RunFailed,
)
from ekiden.worker.adapter import Running, Submitted
from ekiden.worker.http import Reply
from ekiden.worker.ledger import Completed
from ekiden_perplexity_worker.perplexity_agent import MOST_SOURCES, PerplexityAgent, agent_request, refusal, verdict
from tests.unit.worker.wire import call, client, error, fence, reply

ROWS: list[tuple[str, Reply, type[ProviderError]]] = [
    *[
        (f"400 {kind}", error(400, type=kind, code=400), RequestRejected)
        for kind in (
            "invalid_request",
            "invalid_model",
            "invalid_parameter",
            "invalid_date_format",
            "invalid_search_domain_filter",
        )
    ],
    ("401", error(401, type="invalid_api_key", code=401), AuthenticationFailed),
    ("401 as a page", reply(401, text="<html>401 Authorization Required</html>"), AuthenticationFailed),
    ("401 without credit", error(401, type="insufficient_quota", code=401), QuotaExhausted),
    ("402", error(402, type="payment_required"), QuotaExhausted),
    ("403", error(403, type="forbidden", code=403), AuthenticationFailed),
    ("403 Sonar is retired", error(403, type="chat_completions_not_available", code=403), Misconfigured),
    ("404", error(404, type="not_found", code=404), RequestRejected),
    ("413", error(413, type="payload_too_large", code=413), ContextTooLong),
    ("422", reply(422, {"detail": [{"loc": [], "msg": "", "type": ""}]}), RequestRejected),
    ("424", error(424, type="external_connector_error", code=424), ProviderUnavailable),
    ("429", error(429, type="request_rate_limit_exceeded", code=429), RateLimited),
    ("500", error(500, type="internal_error", code=500), ProviderUnavailable),
    ("500 structured output", error(500, type="upstream_structured_output_failed"), ProviderUnavailable),
    ("503", error(503, type="internal_error"), ProviderUnavailable),
    ("502", error(502, type="bad_gateway", code=502), OutcomeUnknown),
    ("504", error(504, type="gateway_timeout", code=504), OutcomeUnknown),
    ("500 as a page", reply(500, text="<html>"), OutcomeUnknown),
    ("503 as a page", reply(503, text="<html>"), OutcomeUnknown),
    ("524", reply(524, text="<html>"), OutcomeUnknown),
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_refusal_has_its_class(answer: Reply, kind: type[ProviderError]) -> None:
    assert type(refusal(answer)) is kind


# ── submitting ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_what_the_wire_wants() -> None:
    assert agent_request(call(maxToolCalls=4, maxSteps=3), {"model": "perplexity/sonar"}) == {
        "model": "perplexity/sonar",
        "input": "Why?",
        "instructions": "Be brief.",
        "background": True,
        "store": True,
        "tools": [{"type": "web_search"}],
        "tool_choice": {"type": "web_search"},
        "max_output_tokens": 100,
        "max_tool_calls": 4,
        "max_steps": 3,
        "metadata": {"taskId": "the-task", "attempt": "2"},
    }


def test_a_workflow_s_parameters_go_where_the_wire_wants_them() -> None:
    asked = {
        "search_context_size": "low",
        "search_recency_filter": "week",
        "reasoning_effort": "low",
        "temperature": 0.5,
    }
    made = agent_request(call(params=asked), {"preset": "low"})
    filters = {"search_recency_filter": "week"}
    assert made["tools"] == [{"type": "web_search", "search_context_size": "low", "filters": filters}]
    assert (made["reasoning"], made["temperature"]) == ({"effort": "low"}, 0.5)


def test_a_step_s_own_model_goes_before_the_preset() -> None:
    made = agent_request(call(model="openai/gpt-6-luna"), {"preset": "low"})
    assert (made.get("model"), made.get("preset")) == ("openai/gpt-6-luna", None)


def agent(*replies: httpx.Response, preset: bool = False, seen: list[httpx.Request] | None = None) -> PerplexityAgent:
    coming = iter(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return next(coming)

    both = client(answer)
    return PerplexityAgent(both, both, "low", preset=preset)


async def test_a_preset_is_sent_as_such() -> None:
    seen: list[httpx.Request] = []
    await agent(httpx.Response(200, json={"id": "resp_1"}), preset=True, seen=seen).submit(call(), fence())
    assert json.loads(seen[0].content)["preset"] == "low"


async def test_an_accepted_search_answers_its_run_id() -> None:
    accepted = httpx.Response(200, json={"id": "resp_1", "status": "queued", "output": [], "usage": None})
    assert await agent(accepted).submit(call(), fence()) == Submitted("resp_1")


@pytest.mark.parametrize("accepted", [{}, {"id": None}, {"id": ""}, {"id": 7}, [], None], ids=str)
async def test_a_2xx_without_a_run_id_is_unknown(accepted: object) -> None:
    with pytest.raises(OutcomeUnknown):
        await agent(httpx.Response(200, json=accepted)).submit(call(), fence())


async def test_a_2xx_that_is_no_json_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        await agent(httpx.Response(200, text="<html>")).submit(call(), fence())


# ── collecting ───────────────────────────────────────────────────────────────────────────────────────────


def run(status: str, **more: object) -> dict[str, object]:
    return {"id": "resp_1", "status": status, "model": "openai/gpt-6-luna", "output": [], "usage": None, **more}


def message(text: str) -> dict[str, object]:
    return {"type": "message", "content": [{"type": "output_text", "text": text, "annotations": []}]}


def results(*found: Mapping[str, object]) -> dict[str, object]:
    return {"type": "search_results", "queries": ["q"], "results": list(found)}


def usage(total: object = 0.00125) -> dict[str, object]:
    return {"input_tokens": 3426, "output_tokens": 30, "cost": {"currency": "USD", "total_cost": total}}


def completed(*output: dict[str, object], status: str = "completed") -> Completed:
    found = verdict(run(status, output=list(output), usage=usage()), simulated=False)
    assert isinstance(found, Completed)
    return found


TEA = {"id": 1, "url": "https://tea.example", "title": "Tea", "date": "2026-06-10", "source": "web"}


async def test_an_unknown_run_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        await agent(httpx.Response(404, json={"error": {"type": "not_found"}})).collect("resp_1")


@pytest.mark.parametrize("status", [400, 401, 403, 408, 429, 500, 502, 503, 524])
async def test_a_poll_is_tried_again_whatever_it_says(status: int) -> None:
    with pytest.raises(ProviderUnavailable):
        await agent(httpx.Response(status, json={"error": {}})).collect("resp_1")


async def test_a_poll_that_is_answered_with_a_page_is_tried_again() -> None:
    with pytest.raises(ProviderUnavailable):
        await agent(httpx.Response(200, text="<html>")).collect("resp_1")


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_a_run_that_has_not_ended_is_running(status: str) -> None:
    assert await agent(httpx.Response(200, json=run(status))).collect("resp_1") == Running()


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failed_run_is_booked(status: str) -> None:
    with pytest.raises(RunFailed, match="out of luck") as caught:
        verdict(run(status, error={"message": "out of luck"}, usage=usage()), simulated=False)
    assert caught.value.billed == 1250


def test_a_cancelled_run_without_usage_costs_nobody_knows_what() -> None:
    with pytest.raises(RunFailed) as caught:
        verdict(run("cancelled"), simulated=False)
    assert caught.value.billed is None


@pytest.mark.parametrize("status", ["requires_action", "", "paused"])
def test_a_status_that_is_new_to_us_is_asked_again(status: str) -> None:
    with pytest.raises(ProviderUnavailable):
        verdict(run(status), simulated=False)


def test_a_completed_run_brings_text_and_sources() -> None:
    assert completed(results(TEA), message("Tea is in fashion [1].")).result == {
        "text": "Tea is in fashion [1].",
        "sources": [{"url": "https://tea.example", "title": "Tea", "date": "2026-06-10"}],
    }


def sources(*output: dict[str, object]) -> list[dict[str, object]]:
    result = completed(*output).result
    assert isinstance(result, dict)
    return result["sources"]


def test_an_address_that_was_found_twice_is_one_source() -> None:
    assert len(sources(results(TEA, TEA), results(TEA))) == 1


@pytest.mark.parametrize("date", [{}, {"date": None}, {"date": ""}])
def test_a_missing_date_is_none(date: dict[str, object]) -> None:
    assert sources(results({"url": "https://a.example", "title": "A", **date}))[0]["date"] is None


def test_a_missing_title_is_the_address() -> None:
    assert sources(results({"url": "https://a.example"}))[0]["title"] == "https://a.example"


def test_only_so_many_sources_are_kept() -> None:
    assert len(sources(results(*[{"url": f"https://a.example/{n}"} for n in range(99)]))) == MOST_SOURCES


def test_items_that_are_new_to_us_are_passed_over() -> None:
    assert completed({"type": "reasoning", "summary": []}, message("Yes.")).result == {"text": "Yes.", "sources": []}


def test_thinking_aloud_is_cut_off() -> None:
    result = completed(message("<think>Hm <think>x</think> well.</think>\nTea.")).result
    assert result == {"text": "Tea.", "sources": []}


def test_a_run_without_sources_is_flagged() -> None:
    assert completed(message("Tea.")).flags == ("no_sources",)


def test_an_incomplete_run_is_kept_and_flagged() -> None:
    assert completed(results(TEA), message("Te"), status="incomplete").flags == ("incomplete",)


def test_an_incomplete_run_may_be_empty() -> None:
    assert completed(status="incomplete").flags == ("incomplete", "no_sources")


def test_a_run_is_booked_at_what_the_provider_says() -> None:
    assert completed(message("Tea.")).usage.billed == 1250


@pytest.mark.parametrize("total", [None, "1.0", float("nan"), float("inf"), -1])
def test_a_cost_that_is_none_is_not_known(total: object) -> None:
    found = verdict(run("completed", usage=usage(total)), simulated=False)
    assert isinstance(found, Completed)
    assert found.usage.billed is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "results", "content", "text", "url", "title", "cost", "total_cost", "input_tokens"]
            ),
            inner | st.sampled_from(["message", "search_results", "output_text"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(status=st.sampled_from(["completed", "incomplete"]), output=JSON, usage=JSON)
def test_what_was_bought_is_never_lost_to_an_odd_field(status: str, output: object, usage: object) -> None:
    assert isinstance(verdict({"status": status, "output": output, "usage": usage}, simulated=False), Completed)


# ── cancelling ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_is_cancelled_under_its_id() -> None:
    seen: list[httpx.Request] = []
    await agent(httpx.Response(200, json={"status": "cancelling"}), seen=seen).cancel("resp_1")
    assert (seen[0].method, seen[0].url.path) == ("POST", "/v1/agent/resp_1/cancel")


async def test_a_cancel_that_is_refused_says_so() -> None:
    with pytest.raises(RequestRejected):
        await agent(httpx.Response(400, json={"error": {"message": "already terminal"}})).cancel("resp_1")


@pytest.mark.parametrize("reply", [httpx.Response(503, json={"error": {"message": "later"}}), httpx.Response(404)])
async def test_a_cancel_that_did_not_get_through_may_be_tried_again(reply: httpx.Response) -> None:
    with pytest.raises(ProviderUnavailable):
        await agent(reply).cancel("resp_1")
