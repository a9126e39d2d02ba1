"""A client's rate of requests: counted over all gateways, told in every answer that counts, refused with a 429.

Reading does not count. A page that looks every second, and whoever waits for a session to move, cannot lock themselves
out; what counts is what makes work. The fields are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

from collections.abc import Mapping

from fastapi import Request

from ekiden.metrics import REQUESTS_REFUSED
from ekiden.store.request_rates import MINUTE_SECONDS, Balance
from ekiden_gateway.kinds import TOO_MANY_REQUESTS
from ekiden_gateway.middleware import answer_with
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.repeats import carried_out

READING = frozenset({"GET"})
"""HEAD is answered as GET."""
POLICY = "requests"


async def count(request: Request, parts: Parts, client: str) -> None:
    """Count a request against its client's rate. Raises Problem when there was no room for it.

    A request that was carried out before, at the same route and under the same Idempotency-Key, is let through:
    whoever lost an answer may ask for it however often.
    """
    if request.method in READING:
        return
    limits = await parts.callers.limits(client)
    if limits.per_minute is None:
        return
    balance = await parts.rates.take(client, limits.per_minute)
    answer_with(request.scope, fields(balance))
    if balance.taken or await carried_out(request, parts, client):
        return
    REQUESTS_REFUSED.labels(reason="rate").inc()
    raise Problem(
        TOO_MANY_REQUESTS,
        f"{client} may make {balance.per_minute} changing requests a minute, and has none left. "
        f"The next one will do in {balance.next_seconds} seconds.",
        headers={"Retry-After": str(balance.next_seconds)},
        extra={"violatedPolicies": [POLICY]},
    )


def fields(balance: Balance) -> Mapping[str, str]:
    """How much there is, and how much is left; `t` is when all of it will be there again."""
    return {
        "RateLimit-Policy": f'"{POLICY}";q={balance.per_minute};w={MINUTE_SECONDS}',
        "RateLimit": f'"{POLICY}";r={balance.remaining};t={balance.full_seconds}',
    }
