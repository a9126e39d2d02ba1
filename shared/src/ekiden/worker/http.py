"""Calling a provider over HTTP: one deadline around all of it, a fence at the first byte, no retries of its own.

What httpx raises stops here. What matters is whether a byte left us: before that nothing can have been bought.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ekiden.errors import NotBought, OutcomeUnknown, ProviderUnavailable, RequestRejected
from ekiden.worker.lease import Fence

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 50
"""Below the shortest idle time-out of a NAT seen in public reports (60 s), so that a silent wait is not cut."""
KEPT_OPEN_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection."""
FIRST_BYTE = "http11.send_request_headers.started"
"""httpcore's trace event before the first byte of a request is written (httpcore 1.0, `_async/http11.py`)."""

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


class ProviderClient:
    """A connection pool to one provider.

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
        kept = connections if reuse else 0
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=kept, keepalive_expiry=KEPT_OPEN_SECONDS
        )
        made = transport or httpx.AsyncHTTPTransport(limits=limits, socket_options=_SOCKET_OPTIONS, retries=0)
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"), headers=dict(headers), transport=made, follow_redirects=False
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

        Raises NotBought when no byte left us, OutcomeUnknown for any reply that did not arrive whole.
        """
        try:
            return await self._exchange("POST", path, body, deadline_seconds, headers or {}, fence)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol) and not fence.passed:
                raise RequestRejected(f"the provider's address is wrong: {error}") from error
            raise _broken(error, sent=fence.passed) from error

    async def ask(self, method: str, path: str, *, deadline_seconds: float) -> Reply:
        """Send what costs nothing. Raises ProviderUnavailable: it can always be sent again."""
        try:
            return await self._exchange(method, path, None, deadline_seconds, {}, None)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            raise ProviderUnavailable(_sentence(error)) from error

    async def close(self) -> None:
        await self._client.aclose()

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        deadline_seconds: float,
        headers: Mapping[str, str],
        fence: Fence | None,
    ) -> Reply:
        async def trace(event: str, _: Mapping[str, object]) -> None:
            if fence is not None and event == FIRST_BYTE:
                fence.check()

        timeout = httpx.Timeout(deadline_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        request = self._client.build_request(
            method, path, json=body, headers=dict(headers), timeout=timeout, extensions={"trace": trace}
        )
        async with asyncio.timeout(deadline_seconds):
            response = await self._client.send(request)
        return Reply(response.status_code, response.headers, response.text, _decoded(response))


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _broken(error: Exception, *, sent: bool) -> NotBought | OutcomeUnknown:
    """The one question behind every transport error: may the provider have heard us?"""
    return OutcomeUnknown(_sentence(error)) if sent else ProviderUnavailable(_sentence(error))


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
