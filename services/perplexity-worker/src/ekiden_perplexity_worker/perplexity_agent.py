"""Perplexity's Agent API in background mode: submit, save the id, collect.

The wire as of November 2026: https://docs.perplexity.ai/docs/agent-api. Sonar is retired. Requests are strict: an
unknown field is a 400. Failure is in the body's `status`, not in the HTTP code. A lost submit cannot be found again.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from ekiden.domain.ids import Micros
from ekiden.domain.plan import Provider
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
from ekiden.worker.adapter import Call, Running, Submitted
from ekiden.worker.http import ProviderClient, Reply
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed, Usage
from ekiden.worker.refusal import (
    asked_delay,
    epoch_of,
    error_object,
    is_number,
    refused,
    retry_after,
    unavailable,
    unknown,
)

SUBMIT_SECONDS = 30.0
"""Ninety times the usual 0.35 s (recorded 2026-10): past it the outcome is unknown anyway."""
POLL_SECONDS = 15.0
NOTHING_TO_CANCEL = frozenset({400, 404})
"""The run has ended, or is not known: documented as 400 and 404, and live both are 400 (recorded 2026-10)."""
MOST_SOURCES = 20
LONGEST_RESET_SECONDS = 3600.0
"""The bucket is a minute's. A reset further ahead is no moment of the provider's clock in seconds."""
MOST_DOLLARS = 1_000_000
"""What is more is no cost of a search."""
RETIRED = frozenset({"chat_completions_not_available", "agent_api_migration_required"})
"""Both names of «this API is gone» (reported 2026-09 and -10): our address is that of another API."""
_OF_THE_TOOL = frozenset({"search_context_size", "search_type", "max_results"})
_OF_ITS_FILTERS = frozenset(
    {"search_domain_filter", "search_recency_filter", "search_after_date_filter", "search_before_date_filter"}
)
_THINKING = re.compile(r"^.*</think>", re.DOTALL)


class PerplexityAgent:
    """Implements `worker.adapter.Adapter`. `model` is `provider/name` or one of the vendor's presets."""

    provider = Provider.PERPLEXITY

    def __init__(self, submits: ProviderClient, polls: ProviderClient, model: str, *, preset: bool = False) -> None:
        self._submits = submits
        self._polls = polls
        self._model = {"preset" if preset else "model": model}

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        body = agent_request(call, self._model)
        reply = await self._submits.post("/v1/agent", body, deadline_seconds=SUBMIT_SECONDS, fence=fence)
        if not 200 <= reply.status < 300:
            raise refusal(reply)
        run_id = _field(reply, "id")
        if not isinstance(run_id, str) or not run_id:
            raise OutcomeUnknown("a 2xx without a run id")
        return Submitted(run_id)

    async def collect(self, run_id: str) -> Completed | Running:
        reply = await self._polls.ask("GET", _path(run_id), deadline_seconds=POLL_SECONDS)
        if (
            reply.status in {404, 410} and error_object(reply) is not None
        ):  # a proxy's page is not the provider's verdict
            raise RunLost(f"the provider knows no run {run_id}")
        body = cast("object", reply.json)
        if reply.status != 200 or not isinstance(body, dict):
            raise ProviderUnavailable(f"asking for {run_id} was answered with {reply.status}")
        return verdict(cast("dict[str, Any]", body), simulated="x-ekiden-simulator" in reply.headers)

    async def cancel(self, run_id: str) -> None:
        reply = await self._polls.ask("POST", f"{_path(run_id)}/cancel", deadline_seconds=POLL_SECONDS)
        if reply.status == 200:
            return
        said = f"cancelling {run_id} was answered with {reply.status}"
        if reply.status in NOTHING_TO_CANCEL and error_object(reply) is not None:
            raise RequestRejected(said)
        raise ProviderUnavailable(said)

    async def close(self) -> None:
        await self._submits.close()
        await self._polls.close()


def agent_request(call: Call, model: Mapping[str, str]) -> dict[str, object]:
    """The body of a search: background, web search forced, limits that keep it below its cap."""
    request = call.request
    body: dict[str, object] = {
        "input": request["user"],
        "instructions": request["system"],
        "background": True,
        "store": True,
        "tool_choice": {"type": "web_search"},
        "max_output_tokens": request["maxOutputTokens"],
        "metadata": {"taskId": call.task_id, "attempt": str(call.attempt)},
    }
    body |= _parameters(request)
    body |= {"model": request["model"]} if "model" in request else dict(model)
    for field, name in (("maxToolCalls", "max_tool_calls"), ("maxSteps", "max_steps")):
        if field in request:
            body[name] = request[field]
    return body


def _parameters(request: Mapping[str, object]) -> dict[str, object]:
    """A workflow's parameters in their places: of the tool, of its filters, or of the request."""
    tool: dict[str, object] = {"type": "web_search"}
    body: dict[str, object] = {"tools": [tool]}
    filters: dict[str, object] = {}
    for name, value in cast("Mapping[str, object]", request.get("params", {})).items():
        if name in _OF_THE_TOOL:
            tool[name] = value
        elif name in _OF_ITS_FILTERS:
            filters[name] = value
        elif name == "reasoning_effort":
            body["reasoning"] = {"effort": value}
        else:
            body[name] = value
    if filters:
        tool["filters"] = filters
    return body


def verdict(body: Mapping[str, Any], *, simulated: bool) -> Completed | Running:
    """Read a run by its status. Raises RunFailed with what it cost."""
    status = body.get("status")
    if status in {"queued", "in_progress"}:
        return Running()
    billed = cost(body)
    if status in {"failed", "cancelled"}:
        raise RunFailed(f"the run {status}: {_sentence(body)}", billed=billed)
    if status not in {"completed", "incomplete"}:
        raise ProviderUnavailable(f"a run with the status {status!r}")
    text, sources = "\n".join(_texts(body)), list(_sources(body))[:MOST_SOURCES]
    flags = [name for name, seen in (("incomplete", status == "incomplete"), ("no_sources", not sources)) if seen]
    counted = _part(body, "usage")
    usage = Usage(
        input_tokens=_count(counted, "input_tokens"),
        output_tokens=_count(counted, "output_tokens"),
        billed=Micros(billed) if billed is not None else None,
        price="usage.cost.total_cost of the answer",
        model=str(body.get("model") or ""),
        simulated=simulated,
    )
    result = {"text": _THINKING.sub("", text).strip(), "sources": sources}
    return Completed(result, dict(body), usage, tuple(flags))


def cost(body: Mapping[str, Any]) -> int | None:
    """Micro-dollars from `usage.cost.total_cost`; None when the provider does not say, as after a cancel."""
    total: object = _part(_part(body, "usage"), "cost").get("total_cost")
    if isinstance(total, bool) or not isinstance(total, int | float) or not 0 <= total <= MOST_DOLLARS:
        return None
    return round(total * 1_000_000)


def refusal(reply: Reply) -> ProviderError:
    """Classify an error reply to a submit, by `error.type` first: a 401 or a 403 may be a bill, or a retired API."""
    error = error_object(reply)
    status = reply.status
    if not refused(reply, error):
        return unknown(reply, error)
    kind, code = str((error or {}).get("type") or ""), (error or {}).get("code")
    message = f"{status} {kind}: {(error or {}).get('message', reply.text[:300])}"
    if status >= 500:
        return unavailable(reply, message)
    if status == 402 or "insufficient_quota" in {kind, code}:
        return QuotaExhausted(message)
    if kind in RETIRED or status in {410, 426} or (status in {404, 405} and error is None):
        return Misconfigured(message)
    if status in {401, 403, 407}:
        return AuthenticationFailed(message)
    if status == 413:
        return ContextTooLong(message)
    if status == 429:
        return RateLimited(message, delay_seconds=asked_delay(_reset(reply)))
    if status in {408, 409, 424, 425}:
        return unavailable(reply, message)
    return RequestRejected(message)


def _reset(reply: Reply) -> float | None:
    """The delay after a 429: `x-ratelimit-reset` is Unix seconds here, compared with the answer's own date."""
    said = retry_after(reply)
    reset, now = reply.headers.get("x-ratelimit-reset"), epoch_of(reply.headers.get("date"))
    if said is not None or reset is None or now is None or not is_number(reset):
        return said
    seconds = float(reset) - now
    return seconds if 0 < seconds <= LONGEST_RESET_SECONDS else None


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    for item in _list(body, "output"):
        if item.get("type") == "message":
            for part in _list(item, "content"):
                if part.get("type") == "output_text":
                    yield str(part.get("text") or "")


def _sources(body: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """What the searches found, each address once, in the order found; a date may be missing."""
    seen: set[str] = set()
    for item in _list(body, "output"):
        if item.get("type") != "search_results":
            continue
        for found in _list(item, "results"):
            url: object = found.get("url")
            if isinstance(url, str) and url not in seen:
                seen.add(url)
                yield {"url": url, "title": found.get("title") or url, "date": found.get("date") or None}


def _list(part: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects that may be absent or null, as the API's sparse bodies have it."""
    found = cast("object", part.get(name))
    if not isinstance(found, list):
        return []
    return [cast("Mapping[str, Any]", one) for one in cast("list[object]", found) if isinstance(one, dict)]


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object that may be absent or null. What was bought is never lost to an odd field."""
    found = cast("object", body.get(name))
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _count(counted: Mapping[str, Any], name: str) -> int:
    found = cast("object", counted.get(name))
    return found if isinstance(found, int) and found > 0 else 0


def _path(run_id: str) -> str:
    """A run's address. An id that a person attached may hold anything, and must still name one run only."""
    return f"/v1/agent/{quote(run_id, safe='')}"


def _field(reply: Reply, name: str) -> object:
    body = cast("object", reply.json)
    return cast("dict[str, object]", body).get(name) if isinstance(body, dict) else None


def _sentence(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return str(cast("dict[str, object]", error).get("message", "")) if isinstance(error, dict) else ""
