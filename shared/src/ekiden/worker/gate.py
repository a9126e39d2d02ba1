"""What a worker waits for before it claims: the provider's shared state, seen by all workers of that provider."""

from typing import Protocol

from ekiden.errors import ProviderError


class Gate(Protocol):
    async def enter(self) -> float:
        """Wait until calls to the provider are allowed and a rate slot is ours; answer how long to park instead.

        0.0 means go. A positive number of seconds means that the wait would be longer than a worker should hold
        a message: put the task off by that and let the message go.
        """
        ...

    async def refused(self, error: ProviderError) -> None:
        """The provider refused a call: cool down, or open the breaker, for all of us."""
        ...

    async def answered(self) -> None:
        """The provider answered: a breaker that was being probed closes."""
        ...
