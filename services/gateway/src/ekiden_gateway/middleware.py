"""What is done around every request: its id, its log context, its metrics, and the limit of its body. Plain ASGI."""

import re
import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from ekiden import tracing
from ekiden.masking import MASK
from ekiden.metrics import HTTP_REQUESTS, HTTP_SECONDS
from ekiden_gateway import problems
from ekiden_gateway.kinds import TOO_LARGE

LARGEST_BODY_BYTES = 256 * 1024
_REQUEST_ID = re.compile(r"^[\w.:-]{1,128}$", re.ASCII)
_FIELDS = "ekiden.fields"
_SESSION_ID = re.compile(r"ses_[0-9a-f]{32}")
_SECRET_PATHS = ("/api/gates/", "/gates/")
_DISCREET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
log = structlog.get_logger()


class RequestContext:
    """Give every request an id, in the answer too, bind it to the log, and measure how long the answer took.

    A stream of events is measured until it begins. An error that nobody has foreseen is answered here, where its log
    line still has the id; behind the beginning of an answer it cuts the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else str(uuid7())
        scope["request_id"] = request_id
        found = _SESSION_ID.search(scope["path"])
        started = time.perf_counter()
        begun = False

        async def send_marked(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(scope.get(_FIELDS, {}) | {"x-request-id": request_id})
                _measure(scope, message["status"], time.perf_counter() - started)
            await send(message)

        if found:
            tracing.note({tracing.SESSION_ID: found.group()})
        context = {"request_id": request_id} | ({"session_id": found.group()} if found else {})
        with structlog.contextvars.bound_contextvars(**context):
            try:
                await self._app(scope, receive, send_marked)
            except Exception as error:
                problem = problems.bug(error)
                if begun:
                    raise
                await problems.response(request_id, scope["path"], problem)(scope, receive, send_marked)


def answer_with(scope: Scope, fields: Mapping[str, str]) -> None:
    """Have the answer to a request carry these header fields, whether it will be a problem or none."""
    scope.setdefault(_FIELDS, {}).update(fields)


class Head:
    """Answer HEAD as GET; the server leaves the body out. Not as a stream: that would never end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":  # a copy: the server goes by its own
            headers = [pair for pair in scope["headers"] if pair[0] != b"accept" or b"event-stream" not in pair[1]]
            scope = {**scope, "method": "GET", "headers": headers}
        await self._app(scope, receive, send)


class Discreet:
    """Addresses that are secrets: whoever has the link of a gate may answer it.

    What is shown there is kept by no cache, its address is told to no other site and to no trace. The log says only
    which route was asked, and `ekiden.masking` knows a link by its look.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_SECRET_PATHS):
            await self._app(scope, receive, send)
            return
        tracing.note({"url.path": f"{scope['path'].rpartition('/')[0]}/{MASK}"})

        async def send_discreetly(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_DISCREET)
            await send(message)

        await self._app(scope, receive, send_discreetly)


class BodyLimit:
    """Refuse a larger body with a problem, whatever its length claims to be.

    FastAPI's own `max_body_size` answers in plain text, from outside of every exception handler.
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY_BYTES) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get("content-length", "")
        if claimed.isdigit() and int(claimed) > self._largest:
            answer = problems.response(scope.get("request_id", ""), scope["path"], problems.too_large())
            await answer(scope, receive, send)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:  # FastAPI, which reads the body, lets no other exception through
                raise HTTPException(TOO_LARGE.status, headers=problems.too_large().headers)
            return message

        await self._app(scope, receive_counted, send)


def _measure(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    HTTP_REQUESTS.labels(method=scope["method"], route=route, status=status).inc()
    HTTP_SECONDS.labels(method=scope["method"], route=route).observe(seconds)
    if status >= 500 and route != "/readyz":  # a probe that says no is no news
        log.warning("request_answered", method=scope["method"], route=route, status=status, seconds=round(seconds, 3))
