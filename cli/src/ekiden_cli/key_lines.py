"""API keys as a person reads them."""

from collections.abc import Iterator

from ekiden_cli.moments import minute, second
from ekiden_cli.wrap import clean
from ekiden_client import Key


def key_line(key: Key) -> Iterator[str]:
    """A key in a list: one line."""
    used = f"used {minute(key.last_used_at)}" if key.last_used_at else "never used"
    ended = f"  revoked {minute(key.revoked_at)}" if key.revoked_at else ""
    yield f"{key.id}  {minute(key.created_at)}  {clean(key.client)}  {','.join(key.scopes)}  {used}{ended}"


def key_lines(key: Key) -> Iterator[str]:
    """A key in `name: value` lines."""
    yield f"Key:       {key.id}"
    yield f"Client:    {clean(key.client)}"
    yield f"Scopes:    {', '.join(key.scopes)}"
    yield f"Requests:  {_limit(key.rate_per_minute, 'changing ones a minute')}"
    yield f"Sessions:  {_limit(key.concurrent_sessions, 'at a time')}"
    yield f"Created:   {second(key.created_at)} by {clean(key.created_by)}"
    yield f"Used:      {minute(key.last_used_at, never='never')}"
    if key.revoked_at:
        yield f"Revoked:   {second(key.revoked_at)}"


def _limit(limit: int | None, of_what: str) -> str:
    return "no limit but the gateway's own" if limit is None else f"{limit} {of_what}"
