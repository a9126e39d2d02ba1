"""Perplexity's errors: `{"error": {message, type, code, param?}}` with `code` = HTTP status (`providers.md` 2.1).

Verbatim: the retired-Sonar 403 and the 429. The sentences of the others are ours, their types are not.
"""

from starlette.responses import Response

from ekiden_simulator.faults import Status
from ekiden_simulator.perplexity_headers import headers_of
from ekiden_simulator.rate_limit import Grant
from ekiden_simulator.replies import compact_json

_TYPE_BY_STATUS = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    413: "payload_too_large",
    424: "external_connector_error",
    429: "request_rate_limit_exceeded",
    502: "bad_gateway",
    504: "gateway_timeout",
}
_STATUS_BY_TYPE = {
    **{type_: status for status, type_ in _TYPE_BY_STATUS.items()},
    "insufficient_quota": 401,  # credit exhaustion, as modelled in public code
    "internal_error": 500,
    "upstream_structured_output_failed": 502,
    "chat_completions_not_available": 403,
    "agent_api_migration_required": 403,
}
_RETIRED = (
    "Sonar is now the Agent API. Use /v1/responses instead of /v1/sonar. Migrate here: "
    "https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview"
)
_MESSAGE_BY_TYPE = {
    "request_rate_limit_exceeded": "Request rate limit exceeded, please try again later.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "invalid_api_key": "Invalid API key provided.",
    "not_found": "Response not found.",
    "chat_completions_not_available": _RETIRED,
    "agent_api_migration_required": _RETIRED,
}


class AgentRefusal(Exception):
    """Perplexity does not accept this request."""

    def __init__(
        self, message: str, param: str | None = None, type_: str = "invalid_request", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.type, self.status = message, param, type_, status


def error_reply(
    status: int, type_: str, message: str, param: str | None = None, grant: Grant | None = None
) -> Response:
    """Return an error on the wire; `param` only when there is one."""
    error: dict[str, object] = {"message": message, "type": type_, "code": status}
    if param is not None:
        error["param"] = param
    return compact_json({"error": error}, status, headers_of(grant=grant))


def refused(refusal: AgentRefusal) -> Response:
    """Return a refusal on the wire."""
    return error_reply(refusal.status, refusal.type, refusal.message, refusal.param)


def unauthorized() -> Response:
    """Return the 401 for a missing or wrong key."""
    return error_reply(401, "invalid_api_key", _MESSAGE_BY_TYPE["invalid_api_key"])


def not_found() -> Response:
    """Return the 404 for a run that is unknown, foreign, or was not to be stored."""
    return error_reply(404, "not_found", _MESSAGE_BY_TYPE["not_found"])


def rate_limited(grant: Grant | None = None) -> Response:
    """Return the 429; it names no time, and there is no `Retry-After`."""
    type_ = "request_rate_limit_exceeded"
    return error_reply(429, type_, _MESSAGE_BY_TYPE[type_], grant=grant)


def retired() -> Response:
    """Return what every Sonar path has answered since 2026-09-27 (captured 2026-10-09)."""
    return error_reply(403, "chat_completions_not_available", _RETIRED)


class PerplexityDialect:
    """Perplexity's words for scripted faults."""

    def failure(self, fault: Status) -> Response:
        """Return the error of a `status` fault, by its type (or code, which here is the same), else by its status."""
        asked = fault.type or fault.code
        status = fault.status or _STATUS_BY_TYPE.get(asked or "", 500)
        type_ = asked or _TYPE_BY_STATUS.get(status, "internal_error" if status >= 500 else "invalid_request")
        message = fault.message or _MESSAGE_BY_TYPE.get(type_, "An error occurred while processing the request.")
        return error_reply(status, type_, message, fault.param)

    def rate_limited(self, retry_after: float | None) -> Response:
        """Return the 429; the wait is not sent."""
        return rate_limited()
