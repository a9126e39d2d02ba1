"""Which faults answer instead of the provider, and with what."""

from typing import Protocol

from starlette.responses import Response

from ekiden_simulator.connection import CutConnection
from ekiden_simulator.faults import (
    AcceptThenCut,
    CutBeforeAccept,
    EmptyReply,
    Fault,
    HtmlError,
    HugeReply,
    RateLimited,
    Redirect,
    SlowDrip,
    Status,
    TruncatedJson,
)
from ekiden_simulator.replies import elsewhere, gateway_page


class Dialect(Protocol):
    """How one provider words its errors."""

    def failure(self, fault: Status) -> Response:
        """Return the error a script asks for, the rest filled in from what is known of it."""
        ...

    def rate_limited(self, retry_after: float | None) -> Response:
        """Return a 429; `retry_after` in seconds where the provider sends it."""
        ...


def before_acceptance(fault: Fault | None, dialect: Dialect) -> Response | None:
    """Return the reply of a fault that refuses the call, None when the call is accepted all the same."""
    match fault:
        case Status(accepted=False):
            return dialect.failure(fault)
        case RateLimited():
            return dialect.rate_limited(fault.retry_after)
        case HtmlError(accepted=False):
            return gateway_page(fault)
        case Redirect(accepted=False):
            return elsewhere(fault)
        case CutBeforeAccept():
            return CutConnection(reset=fault.reset)
        case _:
            return None


def instead_of_reply(fault: Fault | None, dialect: Dialect) -> Response | None:
    """Return what an accepted call is answered with in place of its reply, None when its reply goes out."""
    match fault:
        case Status(accepted=True):
            return dialect.failure(fault)
        case HtmlError(accepted=True):
            return gateway_page(fault)
        case Redirect(accepted=True):
            return elsewhere(fault)
        case EmptyReply():
            return Response(status_code=fault.status, headers={"server": "cloudflare"})
        case AcceptThenCut():
            return CutConnection(reset=fault.reset)
        case _:
            return None


def unreadable(fault: Fault | None) -> bool:
    """Tell whether an accepted call's own reply goes out in a way that nobody can, or will wait to, read."""
    match fault:
        case TruncatedJson(where="body") | SlowDrip() | HugeReply():
            return True
        case _:
            return False
