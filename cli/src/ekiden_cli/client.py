"""A typed client of the gateway. It raises what `errors` draws, and nothing of httpx's.

It repeats nothing by itself, except where that is asked for: `follow` takes up a live stream, `patiently` asks again.
Long, because it has one small method for each route.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import quote, urlsplit

import httpx
from pydantic import ValidationError

from ekiden_cli.dead_letters import DeadLetter, DeadLetters
from ekiden_cli.documents import (
    Document,
    Drafts,
    Entry,
    Page,
    Recovery,
    SessionState,
    SessionStatus,
    Task,
    WorkflowHead,
)
from ekiden_cli.errors import Problem, Unavailable, Unreachable
from ekiden_cli.problems import problem_of
from ekiden_cli.providers import Providers, ProviderState
from ekiden_cli.server_events import ServerEvent, server_events

BASE = "/api/viral/cot-session"
_LETTERS = "/api/dead-letters"
_PROVIDERS = "/api/providers"
ANSWER_SECONDS = 15.0
SILENCE_SECONDS = 40.0
"""Longer than the gateway's pings (15 s) are apart: a stream that is silent for so long is dead."""
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
_OK = 200
_NOTHING_FOLLOWS = 204
_END = "end"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Never asked for through a proxy that the environment names."""

D = TypeVar("D", bound=Document)
T = TypeVar("T")
Away = Callable[[float | None], None]
"""Is told for how many seconds the gateway has been away, and None when it is back."""


class Gateway:
    """One gateway. Use it as an async context manager."""

    def __init__(
        self, url: str, *, api_key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        proxies = urlsplit(url).hostname not in _LOOPBACK
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=ANSWER_SECONDS, transport=transport, trust_env=proxies
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # Sessions

    async def create(self, wish: Mapping[str, object], *, idempotency_key: str | None = None) -> SessionState:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._read(SessionState, await self._ask("POST", f"{BASE}/create", json=wish, headers=headers))

    async def start(self, session_id: str) -> dict[str, Any]:
        return await self._post(session_id, "process-async")

    async def go_on(self, session_id: str, wish: Mapping[str, object]) -> dict[str, Any]:
        """Pass a gate or a wait; `wish` may hold `input`, `taskId` or `budgetUsd`."""
        return await self._post(session_id, "continue-async", wish)

    async def say(
        self, session_id: str, word: Literal["pause", "resume", "cancel"], *, dry_run: bool = False
    ) -> dict[str, Any]:
        return await self._post(session_id, word, params={"dryRun": "true"} if dry_run else None)

    async def recover(self, session_id: str, wish: Mapping[str, object]) -> dict[str, Any]:
        return await self._post(session_id, "recover", wish)

    async def sessions(self, **filters: str | int | None) -> Page:
        """One page, newest first; `cursor` asks for the one behind it."""
        params = {name: value for name, value in filters.items() if value is not None}
        return self._read(Page, await self._ask("GET", f"{BASE}/", params=params))

    async def session(self, session_id: str) -> SessionState:
        return self._read(SessionState, await self._ask("GET", f"{BASE}/{session_id}"))

    async def status(self, session_id: str) -> SessionStatus:
        return self._read(SessionStatus, await self._ask("GET", f"{BASE}/{session_id}/async-status"))

    async def health(self, session_id: str) -> Recovery:
        return self._read(Recovery, await self._ask("GET", f"{BASE}/{session_id}/recover"))

    async def tasks(self, session_id: str) -> list[Task]:
        answer = await self._ask("GET", f"{BASE}/{session_id}/tasks")
        return [self._read(Task, row) for row in answer.get("tasks", [])]

    async def drafts(self, session_id: str) -> Drafts:
        return self._read(Drafts, await self._ask("GET", f"{BASE}/{session_id}/drafts"))

    async def workflows(self) -> list[WorkflowHead]:
        answer = await self._ask("GET", "/api/workflows")
        return [self._read(WorkflowHead, row) for row in answer.get("items", [])]

    # Providers

    async def providers(self) -> Providers:
        return self._read(Providers, await self._ask("GET", _PROVIDERS))

    async def open_breaker(self, provider: str, reason: str) -> ProviderState:
        path = f"{_PROVIDERS}/{quote(provider, safe='')}/open"
        return self._read(ProviderState, await self._ask("POST", path, json={"reason": reason}))

    async def close_breaker(self, provider: str) -> ProviderState:
        return self._read(ProviderState, await self._ask("POST", f"{_PROVIDERS}/{quote(provider, safe='')}/close"))

    # Dead letters

    async def dead_letters(self, **filters: str | int | bool | None) -> DeadLetters:
        """One page, the latest death first."""
        params = {name: value for name, value in filters.items() if value is not None}
        return self._read(DeadLetters, await self._ask("GET", _LETTERS, params=params))

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        return self._read(DeadLetter, await self._ask("GET", f"{_LETTERS}/{letter_id}"))

    async def replay_dead_letter(self, letter_id: str) -> dict[str, Any]:
        return await self._ask("POST", f"{_LETTERS}/{letter_id}/replay")

    async def replay_dead_letters(self, **filters: str) -> dict[str, Any]:
        return await self._ask("POST", f"{_LETTERS}/replay", params=filters)

    async def drop_dead_letter(self, letter_id: str) -> dict[str, Any]:
        return await self._ask("DELETE", f"{_LETTERS}/{letter_id}")

    async def drop_dead_letters(self, **filters: str) -> dict[str, Any]:
        return await self._ask("DELETE", _LETTERS, params=filters)

    # The live stream

    async def stream(
        self, session_id: str, *, after: int | None = None, opened: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[ServerEvent]:
        """Give the server's events from behind version `after` on, until the connection ends.

        The last one of a session that is over is `end`. `opened` is called when the gateway has said yes.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after is not None else {})
        timeout = httpx.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
        path = f"{BASE}/{session_id}/events"
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise problem_of(response)
                if response.status_code == _NOTHING_FOLLOWS:
                    yield ServerEvent("", _END, "")
                    return
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise self._stranger()
                opened()
                async for event in server_events(response.aiter_lines()):
                    yield event
        except httpx.HTTPError as error:
            raise self._away(error) from error

    async def follow(
        self,
        session_id: str,
        *,
        after: int | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        away: Away = lambda _seconds: None,
    ) -> AsyncGenerator[Entry]:
        """Give every transition of a session once and in order, over any number of reconnects.

        It ends with the session. Raises Unreachable when the gateway has been away for `patience_seconds`.
        """
        seen = after
        lost_at: float | None = time.monotonic()  # None while connected

        def opened() -> None:
            nonlocal lost_at
            lost_at = None
            away(None)

        while True:
            problem: Problem | Unreachable | None = None
            try:
                async with aclosing(self.stream(session_id, after=seen, opened=opened)) as events:
                    async for event in events:
                        if event.event == _END:
                            return
                        entry = _entry(event)
                        if entry is not None and (seen is None or entry.version > seen):
                            seen = entry.version
                            yield entry
            except (Unavailable, Unreachable) as error:
                problem = error
            lost_at = lost_at or time.monotonic()
            gone_seconds = time.monotonic() - lost_at
            if problem is not None:
                if gone_seconds > patience_seconds:
                    raise problem
                away(gone_seconds)
            await asyncio.sleep(_PAUSE_SECONDS)

    # Elsewhere

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Ask /readyz. Both answers, yes and no, are answers."""
        try:
            response = await self._http.get("/readyz")
        except httpx.HTTPError as error:
            raise self._away(error) from error
        return response.status_code == _OK, _object(response) or {"detail": response.text.strip()[:500]}

    async def _post(
        self,
        session_id: str,
        verb: str,
        wish: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        return await self._ask(
            "POST", f"{BASE}/{session_id}/{verb}", json=wish if wish is not None else {}, params=params
        )

    async def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if response.is_error:
            raise problem_of(response)
        answer = _object(response)
        if answer is None:
            raise self._stranger()
        return answer

    def _read(self, kind: type[D], answer: object) -> D:
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            raise self._stranger() from error

    def _away(self, error: httpx.HTTPError) -> Unreachable:
        why = "does not answer in time" if isinstance(error, httpx.TimeoutException) else "does not answer"
        return Unreachable(
            f"The gateway at {self.url} {why}.",
            help="Start the stack with `make up`, or say where it is with EKIDEN_GATEWAY_URL.",
        )

    def _stranger(self) -> Unreachable:
        return Unreachable(
            f"What answers at {self.url} is not the gateway of this version.",
            help="Say where the gateway is with EKIDEN_GATEWAY_URL.",
        )


async def patiently(ask: Callable[[], Awaitable[T]], *, patience_seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until there is an answer. For reading only, from a gateway that was there a moment ago.

    Raises Unreachable or Unavailable when there was none for so long.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await ask()
        except (Unavailable, Unreachable):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


def _object(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object in an answer, or None when it holds something else."""
    try:
        body = response.json()
    except ValueError:
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def _entry(event: ServerEvent) -> Entry | None:
    """The transition in a server event; None for an event of another kind."""
    try:
        return Entry.model_validate_json(event.data)
    except ValidationError:
        return None
