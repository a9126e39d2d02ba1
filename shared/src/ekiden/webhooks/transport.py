"""Sending to addresses that strangers chose: what was checked is what is connected to.

A name is asked once for each attempt. If any address it leads to may not be sent to, nothing is; else the connection
goes to one of these addresses, as numbers, with the name left where it belongs: in `Host`, and in TLS, whose
certificate must be that name's. So an answer that changes between a check and a connection changes nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from time import monotonic

import httpx

from ekiden.clock import Clock
from ekiden.masking import hide
from ekiden.webhooks.guard import Allowed, Forbidden, check, is_public
from ekiden.webhooks.schedule import Answer

DEADLINE_SECONDS = 15.0
"""From the name's lookup to the beginning of the answer's body; the standard proposes 15 to 30."""
CONNECT_SECONDS = 5.0
EXCERPT_BYTES = 1024
EXCERPT_SECONDS = 2.0
MOST_ADDRESSES = 4
LOOKUPS = 128
"""A lookup that nobody waits for any more holds its thread on: so many that one owner's dead names leave room."""
_HEADERS = {"content-type": "application/json", "user-agent": "Ekiden-Webhooks/1", "accept-encoding": "identity"}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, as numbers. Raises OSError."""


class Resolver:
    """The system's own, in threads of its own: names that strangers chose may be slow to answer."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS, "webhook-names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _lookup, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to what it has checked. A connection serves one request: the next is checked anew."""

    def __init__(self, allowed: Allowed, resolve: Resolve, *, verify: ssl.SSLContext | bool = True) -> None:
        self._allowed = allowed
        self._resolve = resolve
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(
            verify=verify, trust_env=False, http1=True, http2=False, retries=0, limits=limits
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Forbidden, and what httpx raises."""
        host = check(str(request.url), self._allowed)
        addresses = await self._checked(host, request.url.port or _DEFAULT_PORTS[request.url.scheme])
        *others, last = addresses
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # not a byte of the request has left us
                return await self._send_to(address, host, request)
        return await self._send_to(last, host, request)

    async def _send_to(self, address: str, host: str, request: httpx.Request) -> httpx.Response:
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, once each of them has passed."""
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host} was not found") from error
        if not found:
            raise httpx.ConnectError(f"{host} was not found")
        for text in found:
            address = ip_address(text.partition("%")[0])
            if not (is_public(address) or self._allowed.has_host(host) or self._allowed.has_address(address)):
                raise Forbidden(f"{host} leads to an address that is not public")
        return found[:MOST_ADDRESSES]


class WebhookClient:
    """Posts a delivery, and says how that ended; it never raises for what a receiver does."""

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: Clock, deadline: float = DEADLINE_SECONDS) -> None:
        timeout = httpx.Timeout(deadline, connect=CONNECT_SECONDS)
        self._client = httpx.AsyncClient(
            transport=transport, timeout=timeout, headers=_HEADERS, follow_redirects=False, trust_env=False
        )
        self._clock = clock
        self._deadline = deadline

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Answer:
        began = monotonic()
        status, error, excerpt, again = None, "", "", None
        try:
            async with asyncio.timeout(self._deadline):
                request = self._client.build_request("POST", url, content=body.encode(), headers=dict(headers))
                response = await self._client.send(request, stream=True)
            try:
                status, again = response.status_code, self._wish(response.headers.get("retry-after", ""))
                excerpt = await _beginning(response)
            finally:
                await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            error = f"no answer within {self._deadline:g} s" if status is None else ""
        except Forbidden as forbidden:
            error = f"not sent: {forbidden}"
        except Exception as broken:  # whatever ssl, h11 and anyio let through: it did not arrive
            error = _sentence(broken) if status is None else ""
        return Answer(status, error, excerpt, again, monotonic() - began)

    async def close(self) -> None:
        await self._client.aclose()

    def _wish(self, text: str) -> float | None:
        """The seconds of a `Retry-After`, which is a number or a date."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            return max(0.0, (parsedate_to_datetime(text) - self._clock.now()).total_seconds())
        except (ValueError, TypeError, OverflowError):
            return None


_DEFAULT_PORTS: Mapping[str, int] = {"https": 443, "http": 80}


def _lookup(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def _beginning(response: httpx.Response) -> str:
    """The first bytes of a body as they come, never unpacked. What does not come soon is left out."""
    body = bytearray()
    try:
        async with asyncio.timeout(EXCERPT_SECONDS):
            async for part in response.aiter_raw():
                body += part
                if len(body) >= EXCERPT_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return hide(body[:EXCERPT_BYTES].decode("utf-8", "replace"))


def _sentence(error: Exception) -> str:
    text = hide(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return text[:300]
