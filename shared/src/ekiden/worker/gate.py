"""What a worker waits for before it claims: the provider's shared state, seen by all workers of that provider."""

from typing import Protocol

from ekiden.errors import ProviderError


class Gate(Protocol):
    @property
    def stands_open(self) -> bool:
        """Whether nobody has to wait, and nothing is counted: no rate is kept, nothing is broken or cooling down."""
        ...

    async def enter(self) -> float:
        """Wait until calls to the provider are allowed and a rate slot is ours; answer how long to park instead.

        0.0 means go. A positive number of seconds means that the wait would be longer than a worker should hold
        a message: put the task off by that and let the message go.
        """
        ...

    async def unused(self) -> None:
        """What `enter` allowed is not sent: if it was to be the probe, somebody else may be it."""
        ...

    async def refused(self, error: ProviderError) -> bool:
        """A call was sent, or should have been, and brought no answer: count it, cool down, open the breaker.

        An unknown outcome counts like an outage; it is never the provider's matter alone, as it may have been bought.

        True when the provider's breaker is open now, by this refusal or already before: then it is not the task's.
        """
        ...

    async def answered(self, after_seconds: float) -> None:
        """The provider answered a call that was sent so many seconds ago. It ends a row of refusals.

        A breaker that had opened by then closes, unless a person opened it.
        """
        ...
