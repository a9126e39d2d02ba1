"""OpenAI's errors: `{"error": {message, type, param, code}}`, all four always there (`providers.md` 1.6)."""

from dataclasses import dataclass
from math import ceil

from starlette.responses import Response

from ekiden_simulator.faults import Status
from ekiden_simulator.openai_headers import identity_headers
from ekiden_simulator.replies import pretty_json


@dataclass(frozen=True, slots=True)
class Wording:
    """How one error reads. `code` is what goes on the wire."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None


_INVALID = "invalid_request_error"
_QUOTA = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."  # noqa: E501 - one sentence of the provider
_RATE = "Rate limit reached for gpt-6-luna in organization org-simulator on tokens per min (TPM): Limit 200000, Used 199400, Requested 4420. Please try again in {wait}. Visit https://platform.openai.com/account/rate-limits to learn more."  # noqa: E501

BY_CODE: dict[str, Wording] = {
    "insufficient_quota": Wording(429, "insufficient_quota", "insufficient_quota", _QUOTA),
    "credit_balance_exhausted": Wording(429, "insufficient_quota", "credit_balance_exhausted", _QUOTA),
    "organization_spend_limit_exceeded": Wording(
        429, "insufficient_quota", "organization_spend_limit_exceeded", _QUOTA
    ),
    "project_spend_limit_exceeded": Wording(429, "insufficient_quota", "project_spend_limit_exceeded", _QUOTA),
    "organization_usage_limit_exceeded": Wording(
        429, "insufficient_quota", "organization_usage_limit_exceeded", _QUOTA
    ),
    "request_too_large": Wording(
        429,
        "tokens",
        "rate_limit_exceeded",
        "Request too large for gpt-6-luna in organization org-simulator on tokens per min (TPM): Limit 200000, Requested 214042. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.",  # noqa: E501
    ),
    "slow_down": Wording(429, "rate_limit_error", "slow_down", "Slow down: your request rate rose too fast."),
    "context_length_exceeded": Wording(
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is 1050000 tokens. However, your messages resulted in 1050001 tokens. Please reduce the length of the messages.",  # noqa: E501
        "messages",
    ),
    "invalid_prompt": Wording(
        400,
        _INVALID,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.",  # noqa: E501
    ),
    "server_is_overloaded": Wording(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
    "invalid_api_key": Wording(401, _INVALID, "invalid_api_key", "Incorrect API key provided."),
    "model_not_found": Wording(
        404, _INVALID, "model_not_found", "The model does not exist or you do not have access to it."
    ),
    "rate_limit_exceeded": Wording(429, "rate_limit_error", "rate_limit_exceeded", _RATE.format(wait="1.146s")),
    "ip_not_authorized": Wording(
        401, _INVALID, "ip_not_authorized", "Your IP address is not authorized for this project."
    ),
}
"""Errors that a script may name by code. `request_too_large` is our name: on the wire it has the rate limit's code."""

_BY_STATUS: dict[int, Wording] = {
    400: Wording(400, _INVALID, None, "Invalid request."),
    401: BY_CODE["invalid_api_key"],
    403: Wording(403, _INVALID, None, "Country, region, or territory not supported"),
    404: BY_CODE["model_not_found"],
    429: BY_CODE["rate_limit_exceeded"],
    500: Wording(500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: BY_CODE["server_is_overloaded"],
}


class OpenAIRefusal(Exception):
    """OpenAI does not accept this request."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.wording = Wording(status, _INVALID, code, message, param)


def error_reply(wording: Wording, headers: dict[str, str] | None = None) -> Response:
    """Return an error on the wire."""
    error = {
        "message": wording.message,
        "type": wording.type,
        "param": wording.param,
        "code": wording.code,
    }
    return pretty_json({"error": error}, wording.status, {**identity_headers(), **(headers or {})})


def unauthorized(key: str) -> Response:
    """Return the 401 for a missing or wrong key; the only reply without rate-limit headers."""
    message = (
        f"Incorrect API key provided: {key[:8]}***. You can find your API key at https://platform.openai.com/account/api-keys."
        if key
        else "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."  # noqa: E501
    )
    wording = Wording(401, _INVALID, "invalid_api_key" if key else None, message)
    return error_reply(wording, {"www-authenticate": 'Bearer realm="OpenAI API"'})


class OpenAIDialect:
    """OpenAI's words for scripted faults."""

    def failure(self, fault: Status) -> Response:
        """Return the error of a `status` fault: by its code, else by its status, each field overridable."""
        known = BY_CODE.get(fault.code or "") or _BY_STATUS.get(fault.status or 500)
        status = fault.status or (known.status if known else 500)
        known = known or Wording(status, "server_error" if status >= 500 else _INVALID, None, "Error.")
        code = known.code if fault.code is None or fault.code in BY_CODE else fault.code
        wording = Wording(
            status, fault.type or known.type, code, fault.message or known.message, fault.param or known.param
        )
        return error_reply(wording, _retry_after(fault.retry_after))

    def rate_limited(self, retry_after: float | None) -> Response:
        """Return the token-rate 429, whose message names the wait even when the header is missing."""
        wait = "1.146s" if retry_after is None else f"{retry_after:g}s"
        wording = Wording(429, "rate_limit_error", "rate_limit_exceeded", _RATE.format(wait=wait))
        return error_reply(wording, _retry_after(retry_after))


def requests_exhausted(model: str, limit: int, wait_seconds: float, headers: dict[str, str]) -> Response:
    """Return the 429 of the enforced request rate, with `Retry-After` in whole seconds, at least 1."""
    message = (
        f"Rate limit reached for {model} in organization org-simulator on requests per min (RPM): Limit {limit}, "
        f"Used {limit}, Requested 1. Please try again in {wait_seconds:.3f}s. "
        "Visit https://platform.openai.com/account/rate-limits to learn more."
    )
    return error_reply(
        Wording(429, "requests", "rate_limit_exceeded", message), {**headers, **_retry_after(wait_seconds)}
    )


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": str(max(1, ceil(seconds)))}
