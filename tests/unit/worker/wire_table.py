"""The form of the tables of `test_wire_*.py`: one row for each answer of a provider that the wire reference documents.

Where DESIGN 6 says «4xx» the tables are more careful, because a proxy speaks HTTP too. At the door it says 400, 401,
403, 404, 413, 429 and the like: nothing went through. But 408, 409, 424, 425, 499 and whatever is not in the list it
may say after it has passed the call on, so these are a refusal only in the provider's own JSON, and a 499 never is.
1xx and 3xx are no refusals: a 303 after a POST says that it was carried out.

What no call can succeed at before somebody has changed the set-up (the key, the account, the address, a retired API)
opens the breaker: its tasks stay queued at no cost. One request's own mistake (its model, its prompt) never does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from ekiden.domain.plan import Provider
from ekiden.errors import (
    AuthenticationFailed,
    ContextTooLong,
    InvalidOutput,
    Misconfigured,
    NotBought,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    Rejected,
    RequestRejected,
    RunFailed,
    RunLost,
)
from ekiden.retry import Again, Ask, Stop, Tally, UnknownOutcome, again

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
NOON_EPOCH = 1795348800
HTML = "<!DOCTYPE html><html><head><title>cloudflare</title></head><body>no</body></html>"


class Meaning(NamedTuple):
    """What a class of error means to those who receive it."""

    bought: bool | None
    """None: nobody knows."""
    opens_breaker: bool
    search: type[Again | Stop | Ask]
    gpt: type[Again | Stop | Ask]
    """What follows the first error of its kind, by provider, under the provider's usual policy."""


MEANING: dict[type[ProviderError], Meaning] = {
    RateLimited: Meaning(False, False, Again, Again),
    ProviderUnavailable: Meaning(False, False, Again, Again),
    NotSent: Meaning(False, False, Again, Again),
    QuotaExhausted: Meaning(False, True, Again, Again),
    AuthenticationFailed: Meaning(False, True, Again, Again),
    Misconfigured: Meaning(False, True, Again, Again),
    RequestRejected: Meaning(False, False, Stop, Stop),
    ContextTooLong: Meaning(False, False, Stop, Stop),
    InvalidOutput: Meaning(True, False, Stop, Again),
    RunFailed: Meaning(True, False, Stop, Stop),
    OutcomeUnknown: Meaning(None, False, Ask, Again),
    RunLost: Meaning(True, False, Ask, Ask),
}
"""`Again` behind an open breaker is no resend: the task is queued, and nothing is claimed while it is open."""

ABSTRACT = {ProviderError, NotBought, Rejected}


@dataclass(frozen=True)
class Row:
    """One answer of the wire, and what becomes of it."""

    name: str
    status: int
    kind: type[ProviderError]
    body: object = None
    """Sent as JSON; bytes are sent as they are."""
    headers: Mapping[str, str] | None = None
    delay: float | None = None
    """Seconds asked for, as they are obeyed."""
    billed: int | None = 0

    def response(self) -> httpx.Response:
        given = dict(self.headers or {})
        if isinstance(self.body, bytes):
            return httpx.Response(self.status, content=self.body, headers=given)
        text = json.dumps(self.body, indent=2)
        return httpx.Response(self.status, content=text, headers={"content-type": "application/json", **given})


def page(name: str, status: int, kind: type[ProviderError], **headers: str) -> Row:
    """A proxy's page."""
    billed = None if kind is OutcomeUnknown else 0
    shown = {"content-type": "text/html; charset=UTF-8", "server": "cloudflare", **headers}
    return Row(name, status, kind, HTML.encode(), shown, billed=billed)


def says(error: ProviderError, row: Row) -> None:
    """Assert that an error is what its row says, in class, delay, bill and consequences."""
    delay = error.delay_seconds if isinstance(error, NotBought) else None
    assert (type(error), delay, error.billed) == (row.kind, row.delay, row.billed)
    meaning = MEANING[row.kind]
    assert error.opens_breaker is meaning.opens_breaker
    assert type(verdict(error, Provider.GPT)) is meaning.gpt
    assert type(verdict(error, Provider.PERPLEXITY)) is meaning.search


def verdict(error: ProviderError, provider: Provider) -> Again | Stop | Ask:
    policy = UnknownOutcome.RESEND if provider is Provider.GPT else UnknownOutcome.ASK
    return again(error, Tally(refused=1, unusable=1, unknown=1), provider, policy, 0.5)
