"""Replies as bytes: JSON in each provider's layout, gateway pages, and answers spoilt by a fault."""

import json
from collections.abc import Mapping

from starlette.responses import Response

from ekiden_simulator.faults import BadSchema, Fault, FencedJson, HtmlError, TruncatedJson

_GATEWAY_NAMES = {502: "Bad gateway", 504: "Gateway time-out", 520: "Web server is returning an unknown error"}


def compact_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply on one line, as Perplexity sends it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return _reply(text, status, headers)


def pretty_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply on many lines, as OpenAI sends it."""
    return _reply(json.dumps(body, ensure_ascii=False, indent=2) + "\n", status, headers)


def gateway_page(fault: HtmlError) -> Response:
    """Return the HTML page of the gateway before the provider (shape inferred; Cloudflare's has more markup)."""
    name = _GATEWAY_NAMES[fault.status]
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{fault.status}: {name}</title></head>\n"
        f"<body><center><h1>{fault.status} {name}</h1></center><hr><center>cloudflare</center></body></html>\n"
    )
    return Response(page, fault.status, {"server": "cloudflare"}, "text/html; charset=UTF-8")


def spoil_text(text: str, fault: Fault | None) -> str:
    """Return the text of an answer as a fault leaves it."""
    match fault:
        case FencedJson():
            return f"```json\n{text}\n```"
        case TruncatedJson(where="content"):
            return text[: len(text) * 3 // 5]
        case BadSchema():
            return '{"unexpected": true}'
        case _:
            return text


def spoil_reply(reply: Response, fault: Fault | None) -> Response:
    """Return a reply as a fault leaves it: with half its body, or unharmed."""
    match fault:
        case TruncatedJson(where="body"):
            body = bytes(reply.body)
            headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
            return Response(body[: len(body) // 2], reply.status_code, headers)
        case _:
            return reply


def _reply(text: str, status: int, headers: Mapping[str, str] | None) -> Response:
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json")
