"""What can go wrong between a program and the gateway, split by what the program does next.

::

    EkidenError
    ├── Misconfigured           mend the address or the key: nothing was sent
    ├── Unreachable             nobody answers: wait, or look whether the stack runs
    │   └── NotAGateway         something else answers, or a version this client does not understand: mend the address
    ├── StillRunning            `wait` or `run` had a time limit: the session goes on, wait again
    ├── Stopped                 `run` ended without drafts; `status` says where it stands
    │   ├── SessionWaits        a person is asked: continue, raise the budget, resolve, resume
    │   ├── SessionFailed       look at its health, recover it
    │   └── SessionCancelled    somebody did not want it any more
    └── Problem                 the gateway answered, and said no
        ├── NotFound                look up the id
        ├── Invalid                 mend what you sent
        ├── Forbidden               ask for a key with another scope
        │   └── Unauthenticated     set a key, or a valid one
        ├── Conflict                the state does not allow it; `what_works` says what it does
        │   └── ChangedMeanwhile    somebody else was faster: get it again, look, and send your change again
        ├── OverQuota               wait for `retry_after_seconds`, then try again
        ├── Unavailable             the gateway stands, what is behind it does not: wait
        └── GatewayBug              report it with its `request_id`

A call that may pass when it is asked again was asked again before one of these is raised: see `patience`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ekiden_client.models.status import SessionStatus


class EkidenError(Exception):
    """The gateway could not do what was asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])


class Misconfigured(EkidenError):
    """The address or the key cannot be used."""


class Unreachable(EkidenError):
    """The gateway does not answer.

    `sent`: whether the request may have been received, and what it asked for may have been done.
    """

    def __init__(self, message: str = "", *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class NotAGateway(Unreachable):
    """What answers there is not a gateway that this client understands."""


class StillRunning(EkidenError):
    """The session is still under way."""

    def __init__(self, message: str = "", *, session_id: str = "") -> None:
        super().__init__(message)
        self.session_id = session_id


class Stopped(EkidenError):
    """The session stopped without drafts."""

    def __init__(self, message: str, status: SessionStatus) -> None:
        super().__init__(message)
        self.status = status


class SessionWaits(Stopped):
    """The session waits for a person."""


class SessionFailed(Stopped):
    """The session failed."""


class SessionCancelled(Stopped):
    """The session was cancelled."""


class Problem(EkidenError):
    """The gateway answered with a problem (RFC 9457).

    `type` is its stable name, explained by the gateway at that path; `errors` are the mistakes by field.
    """

    def __init__(
        self,
        status: int,
        title: str = "",
        detail: str = "",
        *,
        type: str = "about:blank",
        request_id: str = "",
        errors: Sequence[tuple[str, str]] = (),
        retry_after_seconds: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or title or f"The gateway answered with status {status}.")
        self.status = status
        self.title = title
        self.type = type
        self.request_id = request_id
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.extra = extra or {}

    def document(self) -> dict[str, Any]:
        """The problem as the gateway told it."""
        return {**self.extra, "type": self.type, "title": self.title, "status": self.status, "detail": str(self)}


class NotFound(Problem):
    """The gateway knows no such thing."""


class Invalid(Problem):
    """The gateway does not accept what was sent."""


class Forbidden(Problem):
    """The key may not do this."""


class Unauthenticated(Forbidden):
    """The gateway wants an API key."""


class Conflict(Problem):
    """The state does not allow it."""

    @property
    def what_works(self) -> Sequence[Mapping[str, str]]:
        """What would work instead, the likeliest first: each with `action`, `method`, `url` and `description`."""
        return cast("Sequence[Mapping[str, str]]", self.extra.get("whatWorks") or ())


class ChangedMeanwhile(Conflict):
    """It was changed by somebody else."""


class OverQuota(Problem):
    """Too many requests, or too many sessions."""


class Unavailable(Problem):
    """The gateway stands, but what it needs does not."""


class GatewayBug(Problem):
    """The gateway has a bug."""
