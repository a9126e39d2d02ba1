"""OpenAI Chat Completions, and any server that speaks it.

The wire as of November 2026: https://developers.openai.com/api/reference/overview. A call is one POST; its answer
is structured output by JSON Schema. There is no idempotency key, so a lost reply is an unknown outcome.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator

from ekiden.domain.ids import Micros
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
from ekiden.worker.adapter import Call, Running, Submitted
from ekiden.worker.decoding import decode
from ekiden.worker.http import ProviderClient, Reply
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed, Usage
from ekiden.worker.refusal import asked_delay, error_object, go_duration, refused, retry_after, unavailable, unknown
from ekiden_gpt_worker.prices import price

_TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_TOO_LONG = re.compile(r"maximum context length|Input tokens exceed|Request too large", re.IGNORECASE)
_BUCKET = re.compile(r"Limit ([\d,]+).*Requested ([\d,]+)")
_RAN_OUT = re.compile(r"Could not finish the message because max_tokens", re.IGNORECASE)
_MOST_TOKENS = 10**12
"""What counts more is no count of tokens."""
_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")


class OpenAIChat:
    """Implements `worker.adapter.Adapter`."""

    provider = Provider.GPT

    def __init__(self, client: ProviderClient, model: str, *, deadline_seconds: float) -> None:
        self._client = client
        self._model = model
        self._deadline = deadline_seconds

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        model = str(call.request.get("model", self._model))
        reply = await self._client.post(
            "/chat/completions",
            chat_request(call, model),
            deadline_seconds=self._deadline,
            fence=fence,
            headers={"X-Client-Request-Id": call.task_id},
        )
        if not 200 <= reply.status < 300:
            raise refusal(reply)
        return completion(reply, call.request, model)

    async def collect(self, run_id: str) -> Completed | Running:
        raise RunLost(f"Chat Completions keeps no runs: {run_id} cannot be collected")

    async def cancel(self, run_id: str) -> None:
        """There is nothing to cancel: a call ends with its reply."""

    async def close(self) -> None:
        await self._client.close()


def chat_request(call: Call, model: str) -> dict[str, object]:
    """The body of a call. `max_completion_tokens` includes reasoning; the older `max_tokens` is refused."""
    request = call.request
    messages = [{"role": "system", "content": request["system"]}, {"role": "user", "content": request["user"]}]
    if call.hint:
        repair = f"Your last answer could not be used: {call.hint}\nAnswer again, in the required form."
        messages.append({"role": "user", "content": repair})
    body: dict[str, object] = {
        "model": model,
        "messages": messages,
        "max_completion_tokens": request["maxOutputTokens"],
    }
    if "schema" in request:
        form = {"name": request["schemaName"], "schema": request["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def completion(reply: Reply, request: Mapping[str, object], model: str) -> Completed:
    """Read a 2xx. Raises OutcomeUnknown when it cannot be read, RequestRejected, InvalidOutput with their cost."""
    try:
        body = cast("dict[str, Any]", reply.json)
        choice: dict[str, Any] = body["choices"][0]
        refused, content = choice["message"].get("refusal"), choice["message"].get("content")
        finish = choice.get("finish_reason")
        usage = _usage(body, model, simulated="x-ekiden-simulator" in reply.headers)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise OutcomeUnknown(f"a 2xx that cannot be read: {error!r}") from error
    if refused:
        raise RequestRejected(f"the model refused: {refused}", billed=usage.billed)
    if finish == "content_filter":
        raise RequestRejected("the content filter stopped the answer", billed=usage.billed)
    if finish == "length":
        raise InvalidOutput("the answer was cut off at max_completion_tokens: be briefer", billed=usage.billed)
    result = _result(str(content or ""), request, usage)
    return Completed(result, body, usage)


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


def _usage(body: Mapping[str, Any], model: str, *, simulated: bool) -> Usage:
    """What the call cost. An answer that can be read is kept also when its usage cannot: the cost is not known then."""
    answered_by = str(body.get("model", model))
    try:
        counted: Mapping[str, Any] = body["usage"]
        tokens_in, tokens_out = _tokens(counted["prompt_tokens"]), _tokens(counted["completion_tokens"])
        billed, said = price(counted, answered_by)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return Usage(billed=None, price="usage not given", model=answered_by, simulated=simulated)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        billed=Micros(billed) if billed is not None else None,
        price=said,
        model=answered_by,
        simulated=simulated,
    )


def _tokens(count: Any) -> int:
    """Raises ValueError for what is no count of tokens: nothing absurd may reach the bill."""
    if not 0 <= (tokens := int(count)) <= _MOST_TOKENS:
        raise ValueError(f"{count} tokens")
    return tokens


def _result(content: str, request: Mapping[str, object], usage: Usage) -> object:
    if "schema" not in request:
        if not content.strip():
            raise InvalidOutput("the answer is empty", billed=usage.billed)
        return content
    try:
        result = decode(_FENCE.sub("", content))
    except ValueError as error:
        raise InvalidOutput(f"the answer is no JSON: {error}", billed=usage.billed) from error
    wrong = next(Draft202012Validator(cast("dict[str, Any]", request["schema"])).iter_errors(result), None)
    if wrong is not None:
        place = "/".join(str(part) for part in wrong.absolute_path) or "the top"
        raise InvalidOutput(
            f"the answer does not fit its schema at {place}: {wrong.message[:500]}", billed=usage.billed
        )
    return result
