"""Providers: whether calls to them pass, and a person's hand on their breakers."""

from urllib.parse import quote

from ekiden_client.connection import Connection
from ekiden_client.models.document import Page
from ekiden_client.models.providers import ProviderState

_PATH = "/api/providers"


class Providers:
    """`client.providers`. Opening and closing needs a key with the scope admin, where there are keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(self) -> Page[ProviderState]:
        """Return all providers with breaker, cool-down and rate."""
        return await self._connection.ask(Page[ProviderState], "GET", _PATH)

    async def open(self, provider: str, reason: str = "") -> ProviderState:
        """Hold back all calls to a provider until a person closes its breaker; calls under way run to their end."""
        path = f"{_PATH}/{quote(provider, safe='')}/open"
        return await self._connection.ask(ProviderState, "POST", path, json={"reason": reason})

    async def close(self, provider: str) -> ProviderState:
        """Let calls pass again, whoever opened the breaker."""
        return await self._connection.ask(ProviderState, "POST", f"{_PATH}/{quote(provider, safe='')}/close")
