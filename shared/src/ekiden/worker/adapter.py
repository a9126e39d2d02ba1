"""What the runtime needs of a provider: submit, collect, cancel. An adapter speaks one provider's wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ekiden.domain.plan import Provider
from ekiden.worker.lease import Fence
from ekiden.worker.ledger import Completed


@dataclass(frozen=True, slots=True)
class Call:
    """One sending of a task: what is asked, and the ids that match it with the provider's bill."""

    task_id: str
    attempt: int
    request: Mapping[str, object]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider accepted the call and works on it under this id."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Running:
    """The run has not ended yet."""


class Adapter(Protocol):
    @property
    def provider(self) -> Provider: ...

    async def submit(self, call: Call, fence: Fence) -> Completed | Submitted:
        """Send a call. `fence` is checked at the first byte and may raise NotSent there.

        Raises ProviderError: what is known not to be bought, what was refused, and OutcomeUnknown for all that
        nobody can say. Whatever else it raises is a bug.
        """
        ...

    async def collect(self, run_id: str) -> Completed | Running:
        """Ask for a run's answer.

        Raises RunFailed; RunLost when the provider knows no such run; NotBought to ask again later.
        """
        ...

    async def cancel(self, run_id: str) -> None:
        """Ask the provider to stop a run. Its answer is collected all the same. Raises ProviderError."""
        ...

    async def close(self) -> None: ...
