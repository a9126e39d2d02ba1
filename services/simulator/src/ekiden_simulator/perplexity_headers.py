"""Perplexity's response headers (captured 2026-10-09): the reset is an epoch second, unlike OpenAI's."""

import time
from math import ceil
from secrets import token_hex
from uuid import uuid4

from ekiden_simulator.rate_limit import Grant


def headers_of(run_id: str | None = None, grant: Grant | None = None) -> dict[str, str]:
    """Return a reply's headers; the request id is the run id without its prefix."""
    headers = {
        "x-request-id": run_id.removeprefix("resp_") if run_id else str(uuid4()),
        "cf-ray": f"{token_hex(8)}-SIM",
        "server": "cloudflare",
    }
    return {**headers, **_rate_headers(grant)} if grant else headers


def _rate_headers(grant: Grant) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(grant.limit),
        "x-ratelimit-remaining": str(grant.remaining),
        "x-ratelimit-used": str(grant.limit - grant.remaining),
        "x-ratelimit-reset": str(ceil(time.time() + grant.full_after_seconds)),
    }
