"""Calling a provider over HTTP: one deadline around all of it, a fence at the first byte, no retries of its own.

Whatever goes wrong on the way stops here, of which library it may be (httpx lets some of ssl, h11 and anyio through).
What matters is whether a byte left us: before that nothing can have been bought.
"""

import asyncio
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ekiden import tracing
from ekiden.errors import Misconfigured, OutcomeUnknown, ProviderError, ProviderUnavailable, RequestRejected
from ekiden.masking import MASK, is_secret
from ekiden.worker.decoding import decode
from ekiden.worker.lease import Fence

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 50
"""Below the shortest idle time-out of a NAT seen in public reports (60 s), so that a silent wait is not cut."""
KEPT_OPEN_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection."""
FIRST_BYTE = "http11.send_request_headers.started"
"""httpcore's trace event before the first byte of a request is written (httpcore 1.0, `_async/http11.py`)."""

MOST_BYTES = 16 * 1024 * 1024
"""Of a reply. The longest real ones are some hundred kilobytes, and the database takes no larger document."""

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 0x10), KEEPALIVE_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS),
]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole: status, headers in lower case, and the body as text."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any
    """The decoded body, or None when it is no JSON."""


class ReplyTooLarge(Exception):
    """The reply has more bytes than are read."""


class ProviderClient:
    """A connection pool to one provider: HTTP/1.1, nothing tried twice, no redirect followed, no proxy of the
    environment used (each would stand between us and the knowledge of what was sent).

    Raises ValueError for a header that cannot be sent, such as a key with a line break in it; the value is not shown.

    Without `reuse` each request has a connection of its own: a kept one that the other side has just closed looks
    like a lost reply, and for a search that would be an unknown outcome a person has to decide on.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        connections: int,
        reuse: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for name, value in headers.items():
            if not _PRINTABLE.fullmatch(value):
                raise ValueError(f"the value of the header {name} has a character that cannot be sent")
        key = headers.get("Authorization", "").partition(" ")[2]
        self._key = key if is_secret(key) else None
        kept = connections if reuse else 0
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=kept, keepalive_expiry=KEPT_OPEN_SECONDS
        )
        made = transport or httpx.AsyncHTTPTransport(
            limits=limits, socket_options=_SOCKET_OPTIONS, retries=0, http1=True, http2=False
        )
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers=dict(headers),
            transport=made,
            follow_redirects=False,
            trust_env=False,
        )

    async def post(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        deadline_seconds: float,
        fence: Fence,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send what may cost money.

        Raises NotBought when no byte left us (Misconfigured when none ever will), RequestRejected for a body that
        cannot be written, OutcomeUnknown for any reply that did not arrive whole.
        """
        content = _encoded(body)
        try:
            return await self._exchange("POST", path, content, deadline_seconds, headers or {}, fence)
        except ProviderError:
            raise
        except Exception as error:
            raise _broken(error, sent=fence.passed) from error

    async def ask(self, method: str, path: str, *, deadline_seconds: float) -> Reply:
        """Send what costs nothing. Raises ProviderUnavailable: it can always be sent again."""
        try:
            return await self._exchange(method, path, None, deadline_seconds, {}, None)
        except Exception as error:
            raise ProviderUnavailable(_sentence(error)) from error

    async def close(self) -> None:
        await self._client.aclose()

    async def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None,
        deadline_seconds: float,
        headers: Mapping[str, str],
        fence: Fence | None,
    ) -> Reply:
        async def trace(event: str, _: Mapping[str, object]) -> None:
            if fence is not None and event == FIRST_BYTE:
                fence.check()

        timeout = httpx.Timeout(deadline_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        described = {"Content-Type": "application/json", **headers} if content is not None else dict(headers)
        request = self._client.build_request(
            method, path, content=content, headers=described, timeout=timeout, extensions={"trace": trace}
        )
        async with asyncio.timeout(deadline_seconds):
            response = await self._client.send(request, stream=True)
            tracing.note(
                {
                    "http.request.method": method,
                    "http.response.status_code": response.status_code,
                    "server.address": request.url.host,
                }
            )
            try:
                text = await _whole_text(response)
            finally:
                await response.aclose()
        if self._key is not None:  # a provider may show us what we sent, and errors are kept and told
            text = text.replace(self._key, MASK)
        return Reply(response.status_code, response.headers, text, _decoded(text))


def _encoded(body: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise RequestRejected(f"the request cannot be written: {error}") from error


async def _whole_text(response: httpx.Response) -> str:
    """The body as text. JSON is UTF-8 whatever the headers say; what is no UTF-8 is no answer of a provider."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MOST_BYTES:
            raise ReplyTooLarge(f"the reply has more than {MOST_BYTES} bytes")
    return body.decode("utf-8-sig", "replace")


def _decoded(text: str) -> Any:
    try:
        return decode(text)
    except ValueError:
        return None


def _broken(error: Exception, *, sent: bool) -> ProviderError:
    """The one question behind every transport error: may the provider have heard us?"""
    if sent:
        return OutcomeUnknown(_sentence(error))
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return Misconfigured(f"the provider's address is wrong: {error}")
    return ProviderUnavailable(_sentence(error))


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
