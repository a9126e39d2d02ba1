"""Perplexity's wire, row by row (providers.md 2.1): what each documented answer means, to a submit and to a poll."""

from typing import cast

import httpx
import pytest

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
    RunLost,
)
from ekiden.worker.adapter import Submitted
from ekiden.worker.ledger import Completed
from ekiden_perplexity_worker.perplexity_agent import PerplexityAgent, verdict
from tests.unit.worker.test_perplexity_agent import message, run, usage
from tests.unit.worker.wire import call, client, fence
from tests.unit.worker.wire_table import NOON, NOON_EPOCH, Row, page, says

RETIRED = "Sonar is now the Agent API. Use /v1/responses instead of /v1/sonar."


def error(status: int, type: str, message: str = "no", **more: object) -> object:
    """The envelope: `code` is the HTTP status, `param` is there when there is one."""
    return {"error": {"message": message, "type": type, "code": status, **more}}


def limited(name: str, delay: float | None = None, **headers: str) -> Row:
    body = error(429, "request_rate_limit_exceeded", "Request rate limit exceeded, please try again later.")
    return Row(name, 429, RateLimited, body, {name.replace("_", "-"): value for name, value in headers.items()}, delay)


SUBMITS = [
    *[
        Row(kind, 400, RequestRejected, error(400, kind, param="tools"))
        for kind in (
            "invalid_request",
            "invalid_model",
            "invalid_parameter",
            "invalid_date_format",
            "invalid_search_domain_filter",
        )
    ],
    Row("invalid inner schema", 400, RequestRejected, error(400, "invalid request")),
    Row("invalid key", 401, AuthenticationFailed, error(401, "invalid_api_key")),
    page("401 page of openresty", 401, AuthenticationFailed),
    Row("no credit, as 401", 401, QuotaExhausted, error(401, "insufficient_quota")),
    Row("no credit, as 403", 403, QuotaExhausted, error(403, "insufficient_quota")),
    Row("no credit, as 429", 429, QuotaExhausted, error(429, "insufficient_quota")),
    Row("no credit, by code", 429, QuotaExhausted, {"error": {"message": "no", "code": "insufficient_quota"}}),
    Row("no credit, as 402", 402, QuotaExhausted, error(402, "payment_required")),
    Row("key of an organisation", 403, AuthenticationFailed, error(403, "forbidden")),
    Row("Sonar is retired", 403, Misconfigured, error(403, "chat_completions_not_available", RETIRED)),
    Row("Sonar is retired, other name", 403, Misconfigured, error(403, "agent_api_migration_required", RETIRED)),
    Row("retired, as 410", 410, Misconfigured, error(410, "chat_completions_not_available", RETIRED)),
    Row("no previous response", 404, RequestRejected, error(404, "not_found")),
    Row("too large", 413, ContextTooLong, error(413, "payload_too_large")),
    Row("FastAPI's words", 422, RequestRejected, {"detail": [{"loc": ["body"], "msg": "no", "type": "missing"}]}),
    Row("FastAPI's words for no address", 404, Misconfigured, {"detail": "Not Found"}),
    Row("connector", 424, ProviderUnavailable, error(424, "external_connector_error")),
    Row("timed out and said so", 408, ProviderUnavailable, error(408, "timeout")),
    Row("conflict", 409, ProviderUnavailable, error(409, "conflict")),
    Row("too early", 425, ProviderUnavailable, error(425, "too_early"), {"retry-after": "2"}, 2),
    limited("rate, nothing said"),
    limited("rate, epoch", 12, x_ratelimit_reset=str(NOON_EPOCH + 12), date=NOON),
    limited("rate, epoch past", None, x_ratelimit_reset=str(NOON_EPOCH - 12), date=NOON),
    limited("rate, epoch now", None, x_ratelimit_reset=str(NOON_EPOCH), date=NOON),
    limited("rate, epoch without a date", None, x_ratelimit_reset=str(NOON_EPOCH + 12)),
    limited("rate, epoch in milliseconds", None, x_ratelimit_reset=str((NOON_EPOCH + 12) * 1000), date=NOON),
    limited("rate, epoch that is a duration", None, x_ratelimit_reset="6m0s", date=NOON),
    limited("rate, seconds after all", 3, retry_after="3", x_ratelimit_reset=str(NOON_EPOCH + 12), date=NOON),
    limited("rate, HTTP date", 90, retry_after="Sun, 22 Nov 2026 12:01:30 GMT", date=NOON),
    limited("rate, at once", None, retry_after="0"),
    limited("rate, next century", 86_400, retry_after="999999999999999"),
    page("rate, as a page", 429, RateLimited),
    Row("internal error", 500, ProviderUnavailable, error(500, "internal_error")),
    Row("structured output", 500, ProviderUnavailable, error(500, "upstream_structured_output_failed")),
    Row("out of order", 503, ProviderUnavailable, error(503, "internal_error"), {"retry-after": "4"}, 4),
    Row("bad gateway, own words", 502, OutcomeUnknown, error(502, "bad_gateway"), billed=None),
    Row("structured output, as 502", 502, OutcomeUnknown, error(502, "upstream_structured_output_failed"), billed=None),
    Row("gateway timeout, own words", 504, OutcomeUnknown, error(504, "gateway_timeout"), billed=None),
    Row("no run id", 200, OutcomeUnknown, {"status": "queued", "output": []}, billed=None),
    Row("a run id that is none", 200, OutcomeUnknown, {"id": 7, "status": "queued"}, billed=None),
]


def agent(row: Row, seen: list[httpx.Request] | None = None) -> PerplexityAgent:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return row.response()

    both = client(answer)
    return PerplexityAgent(both, both, "perplexity/sonar")


@pytest.mark.parametrize("row", SUBMITS, ids=[row.name for row in SUBMITS])
async def test_every_answer_to_a_submit_means_what_its_row_says(row: Row) -> None:
    with pytest.raises(ProviderError) as caught:
        await agent(row).submit(call(), fence())
    says(caught.value, row)


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"])
async def test_a_run_that_has_an_id_was_accepted_whatever_its_status_says(status: str) -> None:
    row = Row(status, 200, ProviderError, run(status, error={"message": "broken"}))
    assert await agent(row).submit(call(), fence()) == Submitted("resp_1")


# ── polls: only the provider's own verdict ends a run ────────────────────────────────────────────────────

FAILED = {"message": "broken", "type": "internal_error", "code": 500}
AGAIN = [
    *[
        Row(f"{status}, own words", status, ProviderUnavailable, error(status, "x"))
        for status in (400, 401, 402, 403, 408, 409, 422, 424, 425, 429, 499, 500, 502, 503, 504)
    ],
    *[
        page(f"{status} page", status, ProviderUnavailable)
        for status in (200, 301, 302, 303, 400, 401, 403, 404, 408, 410, 429, 499, *range(500, 505), *range(520, 531))
    ],
    *[
        Row(f"200, {name}", 200, ProviderUnavailable, body)
        for name, body in {
            "empty": b"",
            "truncated": b'{"id": "resp_1", "sta',
            "nested without end": b"[" * 100_000,
            "no status": {"id": "resp_1"},
            "a list": [],
            "a new status": run("requires_action"),
            "a status that is none": run(cast("str", None)),
        }.items()
    ],
    Row("404 of somebody else", 404, ProviderUnavailable, {"detail": "Not Found"}),
]
ENDED = [
    Row("unknown run", 404, RunLost, error(404, "not_found"), billed=None),
    Row("forgotten run", 410, RunLost, error(410, "gone"), billed=None),
    Row("failed", 200, RunFailed, run("failed", error=FAILED, usage=usage()), billed=1250),
    Row("failed, cost not said", 200, RunFailed, run("failed", error=FAILED), billed=None),
    Row("failed, in silence", 200, RunFailed, run("failed", usage=usage()), billed=1250),
    Row("cancelled", 200, RunFailed, run("cancelled"), billed=None),
    Row("failed at an absurd cost", 200, RunFailed, run("failed", usage=usage(1e300)), billed=None),
]


@pytest.mark.parametrize("row", [*AGAIN, *ENDED], ids=[row.name for row in [*AGAIN, *ENDED]])
async def test_every_answer_to_a_poll_means_what_its_row_says(row: Row) -> None:
    with pytest.raises(ProviderError) as caught:
        await agent(row).collect("resp_1")
    says(caught.value, row)


async def collected(**more: object) -> Completed:
    found = await agent(Row("200", 200, ProviderError, run("completed", **more))).collect("resp_1")
    assert isinstance(found, Completed)
    return found


async def test_a_fenced_answer_is_taken_as_it_comes() -> None:
    found = await collected(output=[message('```json\n{"a": 1}\n```')], usage=usage())
    assert found.result == {"text": '```json\n{"a": 1}\n```', "sources": []}


async def test_half_a_character_and_a_number_without_end_do_not_cost_the_answer() -> None:
    found = await collected(output=[message("tea \ud83c")], usage=usage(), created_at=10**40)
    assert found.result == {"text": "tea �", "sources": []}
    assert cast("dict[str, object]", found.response)["created_at"] == 1e40


@pytest.mark.parametrize("total", [True, 1e300, -0.1, "0.1"])
def test_a_cost_that_is_none_is_not_booked(total: object) -> None:
    found = verdict(run("completed", usage=usage(total)), simulated=False)
    assert isinstance(found, Completed)
    assert found.usage.billed is None


@pytest.mark.parametrize("run_id", ["resp_1/cancel", "../agent", "resp 1?stream=true", "日本"])
async def test_a_run_id_names_one_run_whatever_it_holds(run_id: str) -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(ProviderUnavailable):
        await agent(page("502", 502, ProviderUnavailable), seen).collect(run_id)
    path, query = seen[0].url.raw_path.partition(b"?")[::2]
    assert (path.count(b"/"), query) == (3, b"")
    assert path.startswith(b"/v1/agent/")
