"""Replies as bytes: JSON in each provider's layout, gateway pages, and answers spoilt by a fault."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping

from starlette.responses import Response, StreamingResponse

from ekiden_simulator.faults import (
    BadSchema,
    Fault,
    FencedJson,
    HtmlError,
    HugeReply,
    Redirect,
    SlowDrip,
    TruncatedJson,
)

_GATEWAY_NAMES = {
    403: "Forbidden",
    408: "Request time-out",
    429: "Too many requests",
    499: "Client closed request",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway time-out",
    520: "Web server is returning an unknown error",
    522: "Connection timed out",
    524: "A timeout occurred",
}
_BLANKS = b" " * 65_536


def compact_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply on one line, as Perplexity sends it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return _reply(text, status, headers)


def pretty_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply on many lines, as OpenAI sends it."""
    return _reply(json.dumps(body, ensure_ascii=False, indent=2) + "\n", status, headers)


def gateway_page(fault: HtmlError) -> Response:
    """Return the HTML page of the gateway before the provider (shape inferred; Cloudflare's has more markup)."""
    name = _GATEWAY_NAMES.get(fault.status, "Welcome" if fault.status < 300 else "Error")
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{fault.status}: {name}</title></head>\n"
        f"<body><center><h1>{fault.status} {name}</h1></center><hr><center>cloudflare</center></body></html>\n"
    )
    return Response(page, fault.status, {"server": "cloudflare"}, "text/html; charset=UTF-8")


def elsewhere(fault: Redirect) -> Response:
    """Return a gateway's redirect, to a place that answers nobody."""
    return Response(status_code=fault.status, headers={"server": "cloudflare", "location": "/moved"})


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
    """Return a reply as a fault leaves it: with half its body, byte by byte, after a flood, or unharmed."""
    match fault:
        case TruncatedJson(where="body"):
            body = bytes(reply.body)
            headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
            return Response(body[: len(body) // 2], reply.status_code, headers)
        case SlowDrip():
            return StreamingResponse(_drip(bytes(reply.body), fault.seconds), reply.status_code, dict(reply.headers))
        case HugeReply():
            headers = {**reply.headers, "content-length": str(fault.size + len(reply.body))}
            return StreamingResponse(_flood(fault.size, bytes(reply.body)), reply.status_code, headers)
        case _:
            return reply


async def _drip(body: bytes, seconds: float) -> AsyncGenerator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        await asyncio.sleep(seconds)


async def _flood(size: int, body: bytes) -> AsyncGenerator[bytes]:
    for sent in range(0, size, len(_BLANKS)):
        yield _BLANKS[: size - sent]
    yield body


def _reply(text: str, status: int, headers: Mapping[str, str] | None) -> Response:
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json")
