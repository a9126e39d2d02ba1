"""The way to the gateway: sends, asks again where that is safe, and makes an answer or an error of what comes back.

Nothing of httpx's and nothing of pydantic's is raised from here.
"""

import random
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from ekiden_client.clock import Clock
from ekiden_client.errors import EkidenError, Misconfigured, NotAGateway, Unreachable
from ekiden_client.models.document import Document, Tagged
from ekiden_client.patience import Again, Patience, next_pause
from ekiden_client.problems import problem_of
from ekiden_client.server_events import END, ServerEvent, server_events

SILENCE_SECONDS = 40.0
"""Longer than the gateway's pings (15 s) are apart: a stream that is silent for so long is dead."""
_USER_AGENT = f"ekiden-client/{version('ekiden-client')}"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Never asked for through a proxy that the environment names."""
PROBLEM = "application/problem+json"
_A_STRANGERS = frozenset({400, 404, 405, 409, 412, 422})
_NOTHING_FOLLOWS = 204
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

D = TypeVar("D", bound=Document)
T = TypeVar("T", bound=Tagged)


@dataclass(frozen=True)
class Connection:
    """One gateway. `timeout_seconds` is for one try, `patience` for all tries of one call."""

    url: str
    http: httpx.AsyncClient
    clock: Clock
    patience: Patience
    timeout_seconds: float

    def with_patience(self, patience: Patience) -> "Connection":
        return replace(self, patience=patience)

    async def ask(
        self,
        kind: type[D],
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        again: Again = Again.SAFE,
    ) -> D:
        """Ask for one document. Raises what `errors` draws."""
        response = await self.send(method, path, json=json, params=params, headers=headers, again=again)
        return self.read(kind, response)

    async def look(self, kind: type[T], path: str) -> T:
        """Ask for one thing that can be edited, with its etag."""
        return self._tagged(kind, await self.send("GET", path))

    async def edit(self, kind: type[T], path: str, json: Mapping[str, object], etag: str | None) -> T:
        """PATCH. Raises ChangedMeanwhile when `etag` is not its state any more; without one it is changed as it is."""
        headers = {"If-Match": etag} if etag else None
        again = Again.IF_NOT_DONE if etag else Again.SAFE
        return self._tagged(kind, await self.send("PATCH", path, json=json, headers=headers, again=again))

    async def command(
        self,
        kind: type[D],
        path: str,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> D:
        """POST under an `Idempotency-Key`: of all tries one counts, and each gets the same answer."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return await self.ask(kind, "POST", path, json=json or {}, params=params, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        again: Again = Again.SAFE,
    ) -> httpx.Response:
        """Return an answer that is no problem, after as many tries as are safe and patience allows."""
        began, tries = self.clock.now(), 0
        while True:
            try:
                return await self._once(method, path, json, params, headers)
            except EkidenError as error:
                tries += 1
                waited = self.clock.now() - began
                pause = next_pause(error, tries, waited, self.patience, again, random.random())  # noqa: S311 (jitter)
                if pause is None:
                    raise
            await self.clock.sleep(pause)

    async def once(self, path: str) -> httpx.Response:
        """Return whatever is answered to one GET, a problem too. Raises Unreachable."""
        try:
            return await self.http.get(path)
        except httpx.HTTPError as error:
            raise self._away(error) from error

    async def stream(
        self, path: str, *, last_event_id: str | None, opened: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[ServerEvent]:
        """Give the events of one connection, until it ends. `opened` is called when the gateway has said yes.

        When nothing will ever follow, the last event is `end`, whether the gateway sends that or answers 204.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        timeout = httpx.Timeout(self.timeout_seconds, read=SILENCE_SECONDS)
        try:
            async with self.http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise self._refusal(response)
                if response.status_code == _NOTHING_FOLLOWS:
                    opened()
                    yield END
                    return
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise self._stranger("it sends no events")
                opened()
                async with aclosing(server_events(response.aiter_text())) as events:
                    async for event in events:
                        yield event
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def read(self, kind: type[D], response: httpx.Response) -> D:
        """Raises NotAGateway when the answer is of another kind."""
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "its answer"
            raise self._stranger(f"{place}: {first['msg']}") from error

    def _tagged(self, kind: type[T], response: httpx.Response) -> T:
        return self.read(kind, response).model_copy(update={"etag": response.headers.get("etag", "")})

    async def _once(
        self,
        method: str,
        path: str,
        json: Mapping[str, object] | None,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        try:
            response = await self.http.request(method, path, json=json, params=_asked(params), headers=headers)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if response.is_error:
            raise self._refusal(response)
        return response

    def _refusal(self, response: httpx.Response) -> EkidenError:
        """A problem; or somebody else's page, where no proxy on the way would say such a thing."""
        is_problem = response.headers.get("content-type", "").startswith(PROBLEM)
        if response.status_code in _A_STRANGERS and not is_problem:
            return self._stranger(f"it answers with status {response.status_code} and no problem document")
        return problem_of(response)

    def _away(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.DecodingError | httpx.TooManyRedirects):
            return self._stranger(str(error))
        why = "does not answer in time" if isinstance(error, httpx.TimeoutException) else "does not answer"
        return Unreachable(f"The gateway at {self.url} {why}.", sent=not isinstance(error, _NOTHING_SENT))

    def _stranger(self, why: str) -> NotAGateway:
        return NotAGateway(f"What answers at {self.url} is not the gateway of this version ({why}).", sent=True)


def open_http(
    url: str, key: str | None, *, timeout_seconds: float, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Raises Misconfigured when address or key cannot be used."""
    scheme, host = _place(url)
    headers = {"User-Agent": _USER_AGENT} | ({"Authorization": f"Bearer {_checked(key)}"} if key else {})
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=timeout_seconds,
        transport=transport,
        trust_env=transport is None and host not in _LOOPBACK,
        verify=scheme == "https",  # reading the certificates takes longer than most calls, and http needs none
    )


def _place(url: str) -> tuple[str, str]:
    """The scheme and the host of an address that can be one of a gateway."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise Misconfigured(f"{url!r} is no address: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Misconfigured(f"{url!r} is no address of a gateway: write it as http://host:port.")
    return parts.scheme, host


def _checked(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured("The API key has characters that no key has: spaces, line breaks or letters beyond ASCII.")
    return key


def _asked(params: Mapping[str, object] | None) -> dict[str, Any] | None:
    """Parameters as they are written in an address; those that are None are left out."""
    if params is None:
        return None
    given = {name: value for name, value in params.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
