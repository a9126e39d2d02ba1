"""OpenAI Chat Completions, and any server that speaks it.

The wire as of November 2026: https://developers.openai.com/api/reference/overview. A call is one POST; its answer
is structured output by JSON Schema. There is no idempotency key, so a lost reply is an unknown outcome.

What other servers do differently: a field they refuse is left out (`dialect`), and their answers are read with patience
(`answer`). Seen of vLLM, Ollama, LiteLLM, OpenRouter, Groq, DeepSeek and Mistral in public reports of 2024 to 2026.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import structlog

from ekiden.domain.plan import Provider
from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    InvalidOutput,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    RunLost,
)
from ekiden.prices import PriceList
from ekiden.worker.adapter import Call, Running, Submitted
from ekiden.worker.http import ProviderClient, Reply
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed
from ekiden.worker.refusal import asked_delay, go_duration, refused, retry_after, unavailable, unknown
from ekiden_gpt_worker.answer import error_object, result_of, text_of, usage_of
from ekiden_gpt_worker.dialect import Dialect, Form, refused_field

log = structlog.get_logger()
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"})
_TOO_LONG = re.compile(
    r"maximum context length|Input tokens exceed|Request too large|ContextWindowExceeded|available context size",
    re.IGNORECASE,
)
_BUCKET = re.compile(r"Limit ([\d,]+).*Requested ([\d,]+)")
_RAN_OUT = re.compile(r"Could not finish the message because max_tokens", re.IGNORECASE)


class OpenAIChat:
    """Implements `worker.adapter.Adapter`."""

    provider = Provider.GPT

    def __init__(
        self,
        client: ProviderClient,
        model: str,
        *,
        deadline_seconds: float,
        dialect: Dialect | None = None,
        prices: PriceList | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._deadline = deadline_seconds
        self._dialect = dialect or Dialect()
        self._learned: dict[str, Dialect] = {}
        self._prices = prices or PriceList()

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        """Send a call; and send it again without a field that the server refuses, which it then has not carried out."""
        model = str(call.request.get("model", self._model))
        while True:
            dialect = self._learned.get(model, self._dialect)
            body = chat_request(call, model, dialect)
            reply = await self._client.post(
                "/chat/completions",
                body,
                deadline_seconds=self._deadline,
                fence=fence,
                headers={"X-Client-Request-Id": call.task_id},
            )
            if 200 <= reply.status < 300:
                return completion(reply, call.request, model, self._prices)
            error = refusal(reply)
            field = _refused_field(error, reply, body)
            if field is None or (learned := dialect.without(field)) == dialect:
                raise error
            log.warning("field_refused", field=field, model=model, error=str(error)[:500])
            self._learned[model] = learned
            fence.passed = False  # what has left us so far is known not to be bought

    async def collect(self, run_id: str) -> Completed | Running:
        raise RunLost(f"Chat Completions keeps no runs: {run_id} cannot be collected")

    async def cancel(self, run_id: str) -> None:
        """There is nothing to cancel: a call ends with its reply."""

    async def close(self) -> None:
        await self._client.close()


def chat_request(call: Call, model: str, dialect: Dialect | None = None) -> dict[str, object]:
    """The body of a call. `max_completion_tokens` includes reasoning; the older `max_tokens` is refused."""
    request, way = call.request, dialect or Dialect()
    system, form = str(request["system"]), _in_words(request)
    if form and way.form is not Form.JSON_SCHEMA:
        system = f"{system}\n\n{form}"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": request["user"]}]
    if call.hint:
        again = form or "Answer again, in the required form."
        messages.append({"role": "user", "content": f"Your last answer could not be used: {call.hint}\n{again}"})
    body: dict[str, object] = {"model": model, "messages": messages, way.limit.value: request["maxOutputTokens"]}
    if form and way.form is Form.JSON_SCHEMA:
        wanted = {"name": request["schemaName"], "schema": request["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif form and way.form is Form.JSON_OBJECT:
        body["response_format"] = {"type": "json_object"}
    parameters = cast("Mapping[str, object]", request.get("params", {}))
    return {name: value for name, value in parameters.items() if name not in way.left_out} | body


def _in_words(request: Mapping[str, object]) -> str:
    """The form of an answer as a sentence, with the word JSON that its mode wants; empty where none is asked for."""
    if "schema" not in request:
        return ""
    schema = json.dumps(request["schema"], ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object and nothing else. It must fit this JSON Schema:\n{schema}"


def _refused_field(error: ProviderError, reply: Reply, body: Mapping[str, object]) -> str | None:
    if not isinstance(error, RequestRejected):
        return None
    said = error_object(reply) or {}
    return refused_field(f"{error} {json.dumps(said.get('metadata', ''))}", said.get("param"), body)


def completion(reply: Reply, request: Mapping[str, object], model: str, prices: PriceList | None = None) -> Completed:
    """Read a 2xx. Raises OutcomeUnknown when it cannot be read, RequestRejected, InvalidOutput with their cost."""
    usage = usage_of(reply, model, prices or PriceList())
    try:
        body = cast("dict[str, Any]", reply.json)
        choice: dict[str, Any] = body["choices"][0]
        refused, content = choice["message"].get("refusal"), text_of(choice["message"])
        finish = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        told = (error_object(reply) or {}).get("message", repr(error))  # OpenRouter's 200 for what failed behind it
        raise OutcomeUnknown(f"a 2xx that cannot be read: {told}") from error
    if refused:
        raise RequestRejected(f"the model refused: {refused}", billed=usage.billed)
    if finish == "content_filter":
        raise RequestRejected("the content filter stopped the answer", billed=usage.billed)
    if finish == "length":
        raise InvalidOutput("the answer was cut off at max_completion_tokens: be briefer", billed=usage.billed)
    return Completed(result_of(content, request, usage), body, usage)


def refusal(reply: Reply) -> ProviderError:
    """Classify an error reply by `error.code` first: a 429 may be a bill, a length or a rate."""
    error = error_object(reply)
    status = reply.status
    if not refused(reply, error):
        return unknown(reply, error)
    code, kind = str((error or {}).get("code") or ""), str((error or {}).get("type") or "")
    message = f"{status} {code or kind}: {(error or {}).get('message', reply.text[:300])}"
    if status >= 500:
        return unavailable(reply, message)
    if status == 402 or "insufficient_quota" in {kind, code}:
        return QuotaExhausted(message)
    if code == "model_not_found":  # 403 for a model the project may not use: one request's model, not our key
        return RequestRejected(message)
    if status in {401, 403, 407}:
        return AuthenticationFailed(message)
    if _no_such_api(status, error):
        return Misconfigured(message)
    if _too_long(status, code, message):
        return ContextTooLong(message)
    if _RAN_OUT.search(message):  # a 400 that says what `finish_reason: length` says: the model has worked
        return InvalidOutput("the answer was cut off at max_completion_tokens: be briefer", billed=None)
    if status == 429:
        return RateLimited(message, delay_seconds=asked_delay(retry_after(reply) or _reset(reply)))
    if status in {408, 409, 425}:
        return unavailable(reply, message)
    return RequestRejected(message)


def _no_such_api(status: int, error: Mapping[str, Any] | None) -> bool:
    """Whether the address itself is refused: then every call is. `Invalid URL (POST /v1/v1/…)` is OpenAI's word."""
    own = error is not None and not str(error.get("message", "")).startswith("Invalid URL")
    return status in {410, 426} or (status in {404, 405} and not own)


def _too_long(status: int, code: str, message: str) -> bool:
    """Whether the prompt must become shorter. Also a request larger than the limit of a whole minute never succeeds."""
    if code in _TOO_LONG_CODES or status == 413:
        return True
    if status not in {400, 422, 429}:
        return False
    bucket = _BUCKET.search(message) if status == 429 else None
    if bucket is not None:
        limit, requested = (int(found.replace(",", "") or 0) for found in bucket.groups())
        return requested > limit > 0
    return _TOO_LONG.search(message) is not None


def _reset(reply: Reply) -> float | None:
    """The longest reset, in seconds, of what `x-ratelimit-remaining-…` says is used up; they are Go durations.

    It is the time until the bucket is full again, so it stands behind whatever names the wait itself.
    """
    used_up = [kind for kind in ("requests", "tokens") if reply.headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max((go_duration(reply.headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in used_up), default=None)
