"""What can go wrong at a provider, split by what the receiver does next.

::

    EkidenError
    ├── ProviderError
    │   ├── NotBought              known not to be paid: the call may be made again
    │   │   ├── RateLimited            later, when the provider says so
    │   │   ├── ProviderUnavailable    later, with growing pauses
    │   │   ├── NotSent                at once: no byte left us
    │   │   ├── QuotaExhausted         when somebody has paid: the breaker opens
    │   │   ├── AuthenticationFailed   when somebody has mended the key: the breaker opens
    │   │   └── Misconfigured          when somebody has changed the set-up: the breaker opens
    │   ├── Rejected               the request itself is refused: never again as it is
    │   │   ├── RequestRejected
    │   │   └── ContextTooLong         again from a shorter rendering, once
    │   ├── InvalidOutput          paid, but of no use: again, saying what was wrong
    │   ├── RunFailed              paid, and failed at the provider: its step may order it again
    │   └── OutcomeUnknown         nobody can say whether it was bought
    │       └── RunLost                bought, and its answer cannot be had: a person decides, whatever the policy
    ├── Unreachable                a broker or a database that does not answer: wait and try again
    ├── DocumentTooLarge           a session that would outgrow its document
    ├── KeyReused                  an idempotency key that belongs to another request: never again as it is
    ├── ScheduleInvalid            a cron expression or a time zone that names no times
    └── WorkflowInvalid            a workflow with mistakes, all of them named
"""

from dataclasses import dataclass, field
from typing import ClassVar


class EkidenError(Exception):
    """Something in Ekiden went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])


class ProviderError(EkidenError):
    """A provider did not give a usable answer.

    `billed` is what the call cost although it failed, in micro-dollars; None when it cost something and the
    provider did not say how much: then the cap of one call is booked.
    """

    may_pass: ClassVar[bool] = False
    """Whether the same order may succeed at a later time."""
    opens_breaker: ClassVar[bool] = False

    def __init__(self, message: str = "", *, billed: int | None = 0) -> None:
        super().__init__(message)
        self.billed = billed


class NotBought(ProviderError):
    """The provider refused the call, so it is known not to be paid.

    `held_back` is set once the gate has said that the provider's breaker is open: then the refusal is the provider's
    matter, and uses up no attempt of the task.
    """

    may_pass = True

    def __init__(self, message: str = "", *, delay_seconds: float | None = None) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds
        self.held_back = False


class RateLimited(NotBought):
    """The provider asked us to slow down."""


class ProviderUnavailable(NotBought):
    """The provider is out of order and said so."""


class NotSent(NotBought):
    """No byte of the request left us."""


class QuotaExhausted(NotBought):
    """The account has no money or no quota left."""

    opens_breaker = True


class AuthenticationFailed(NotBought):
    """The provider does not accept our key."""

    opens_breaker = True


class Misconfigured(NotBought):
    """No call of this kind can succeed before somebody has changed the set-up."""

    opens_breaker = True


class Rejected(ProviderError):
    """The provider will not do what the request asks."""


class RequestRejected(Rejected):
    """The provider refused the request as it is."""


class ContextTooLong(Rejected):
    """The prompt is longer than the model can read."""


class InvalidOutput(ProviderError):
    """The answer does not have the form that was asked for."""


class RunFailed(ProviderError):
    """The provider accepted the call and failed at it."""

    may_pass = True


class OutcomeUnknown(ProviderError):
    """Nobody can say whether the provider accepted the call."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, billed=None)


class RunLost(OutcomeUnknown):
    """The provider accepted the call, and its run cannot be collected."""


class Unreachable(EkidenError):
    """The broker or the database does not answer."""


class DocumentTooLarge(EkidenError):
    """The session has grown past what one document may hold."""


class KeyReused(EkidenError):
    """An idempotency key came with another request than the one it belongs to."""


class ScheduleInvalid(EkidenError):
    """What a schedule says names no times: the field, as people write it, and what to write instead."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a workflow: the file, its line where one can be named, what is wrong, and what may be meant."""

    file: str
    line: int | None
    what: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}{f':{self.line}' if self.line else ''}"
        return f"{place}: {self.what}{f'; {self.suggestion}' if self.suggestion else ''}"


@dataclass(eq=False)
class WorkflowInvalid(EkidenError):
    """The workflow has mistakes."""

    mistakes: list[Mistake] = field(default_factory=list[Mistake])

    def __str__(self) -> str:
        return "\n".join(str(mistake) for mistake in self.mistakes)
