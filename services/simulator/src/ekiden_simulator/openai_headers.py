"""OpenAI's response headers (`providers.md` 1.7)."""

from secrets import token_hex

from ekiden_simulator.rate_limit import Grant

TOKENS_PER_MINUTE = 200_000
"""Limit in the recorded headers (2026-07). Shown, not enforced."""


def identity_headers() -> dict[str, str]:
    """Return what every reply has, errors included."""
    return {
        "x-request-id": f"req_{token_hex(16)}",
        "openai-version": "2020-10-01",
        "openai-organization": "org-simulator",
        "cf-ray": f"{token_hex(8)}-SIM",
        "server": "cloudflare",
    }


def rate_headers(grant: Grant, tokens: int) -> dict[str, str]:
    """Return limits, what remains, and Go-style durations until the buckets are full again."""
    return {
        "x-ratelimit-limit-requests": str(grant.limit),
        "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
        "x-ratelimit-remaining-requests": str(grant.remaining),
        "x-ratelimit-remaining-tokens": str(max(0, TOKENS_PER_MINUTE - tokens)),
        "x-ratelimit-reset-requests": go_duration(grant.full_after_seconds),
        "x-ratelimit-reset-tokens": go_duration(tokens * 60 / TOKENS_PER_MINUTE),
    }


def go_duration(seconds: float) -> str:
    """Return a duration as Go prints it: `120ms`, `1.2s`, `6m0s`, `1h23m31s`.

    >>> [go_duration(seconds) for seconds in (0, 0.12, 1.2, 360, 5011)]
    ['0s', '120ms', '1.2s', '6m0s', '1h23m31s']
    """
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
