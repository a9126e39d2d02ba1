"""The client: one gateway, and everything that can be asked of it."""

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx

from ekiden_client.clock import Clock, SystemClock
from ekiden_client.connection import Connection, open_http
from ekiden_client.dead_letters import DeadLetters
from ekiden_client.errors import SessionCancelled, SessionFailed, SessionWaits
from ekiden_client.keys import Keys
from ekiden_client.models.drafts import Drafts
from ekiden_client.models.status import SessionStatus
from ekiden_client.models.words import Status
from ekiden_client.patience import USUAL, Patience
from ekiden_client.providers import Providers
from ekiden_client.schedules import Schedules
from ekiden_client.service import Service
from ekiden_client.sessions import GivenInputs, Sessions
from ekiden_client.webhooks import Webhooks
from ekiden_client.workflows import Workflows

USUAL_URL = "http://127.0.0.1:8000"
ANSWER_SECONDS = 15.0


class EkidenClient:
    """A gateway. Use it as an asynchronous context manager; one for the whole program, shared by all of its tasks.

    `url` and `key` are taken from EKIDEN_GATEWAY_URL and EKIDEN_API_KEY when they are not given. One try of a call may
    take `timeout_seconds`; `patience` says for how long it is asked again. `transport` and `clock` are for tests.
    Raises Misconfigured when the address or the key cannot be used.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
        patience: Patience = USUAL,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.url = (url or os.environ.get("EKIDEN_GATEWAY_URL") or USUAL_URL).rstrip("/")
        secret = key if key is not None else os.environ.get("EKIDEN_API_KEY")
        self._http = open_http(self.url, secret, timeout_seconds=timeout_seconds, transport=transport)
        self._arrange(Connection(self.url, self._http, clock or SystemClock(), patience, timeout_seconds))

    def _arrange(self, connection: Connection) -> None:
        self._connection = connection
        self.sessions = Sessions(connection)
        self.workflows = Workflows(connection)
        self.providers = Providers(connection)
        self.dead_letters = DeadLetters(connection)
        self.keys = Keys(connection)
        self.webhooks = Webhooks(connection)
        self.schedules = Schedules(connection)
        self.service = Service(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    def with_patience(self, patience: Patience) -> Self:
        """Return this client with another patience. Both share their connections: close one of them."""
        other = object.__new__(type(self))
        other.url, other._http = self.url, self._http
        other._arrange(self._connection.with_patience(patience))
        return other

    async def run(
        self,
        theme: str | None = None,
        *,
        style: str | None = None,
        platform: str | None = None,
        language: str | None = None,
        workflow: str | None = None,
        inputs: GivenInputs | None = None,
        pause_before: Sequence[str] | None = None,
        budget_usd: float | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float | None = None,
    ) -> Drafts:
        """Start a session, wait for its end, and return its drafts. `sessions.create` says what the wishes mean.

        Raises SessionWaits, SessionFailed or SessionCancelled when it stops without them, and StillRunning after
        `timeout_seconds`; the session goes on, and all four name it.
        """
        created = await self.sessions.create(
            theme,
            style=style,
            platform=platform,
            language=language,
            workflow=workflow,
            inputs=inputs,
            pause_before=pause_before,
            budget_usd=budget_usd,
            metadata=metadata,
            start=True,
            idempotency_key=idempotency_key,
        )
        status = await self.sessions.wait(created.id, timeout_seconds=timeout_seconds)
        _expect_completion(status)
        return await self.sessions.drafts(created.id)


def _expect_completion(status: SessionStatus) -> None:
    session = status.session
    match session.status:
        case Status.COMPLETED:
            return
        case Status.FAILED:
            why = f": {session.failure.error}: {session.failure.message}" if session.failure else ""
            raise SessionFailed(f"The session {session.id} failed{why}.".replace("..", "."), status)
        case Status.CANCELLED:
            raise SessionCancelled(f"The session {session.id} was cancelled.", status)
        case _:
            raise SessionWaits(f"The session {session.id} waits for a person ({session.waiting_reason}).", status)
