"""API keys as they are shown."""

from collections.abc import Sequence

from ekiden.store.api_keys import ApiKey
from ekiden_gateway.callers import Caller, Limits
from ekiden_gateway.keys import Scope
from ekiden_gateway.models.keys import KeyAnswer, MadeKey, OwnKey
from ekiden_gateway.models.problems import Way

BASE = "/api/keys"


def key(stored: ApiKey) -> KeyAnswer:
    return KeyAnswer(
        id=stored.id,
        client=stored.client,
        scopes=[scope for scope in Scope if scope in stored.scopes],
        rate_per_minute=stored.rate_per_minute,
        concurrent_sessions=stored.concurrent_sessions,
        created_at=stored.created_at,
        created_by=stored.created_by,
        last_used_at=stored.last_used_at,
        revoked_at=stored.revoked_at,
    )


def made(stored: ApiKey, secret: str) -> MadeKey:
    return MadeKey(**key(stored).model_dump(), secret=secret)


def own(caller: Caller, limits: Limits, *, is_open: bool) -> OwnKey:
    return OwnKey(
        client=caller.client,
        key_id=caller.key if caller.key != caller.client else None,
        scopes=[scope for scope in Scope if scope in caller.scopes],
        rate_per_minute=limits.per_minute,
        concurrent_sessions=limits.sessions,
        open=is_open,
    )


def to_revoke(active: Sequence[ApiKey]) -> list[dict[str, object]]:
    """What would make room for another key, the one that was used longest ago first."""
    oldest_use = sorted(active, key=lambda stored: stored.last_used_at or stored.created_at)
    return [
        Way(
            action="revoke",
            method="DELETE",
            url=f"{BASE}/{stored.id}",
            description=f"Revoke the key {stored.id}, "
            + (f"last used at {stored.last_used_at:%Y-%m-%dT%H:%MZ}." if stored.last_used_at else "never used."),
        ).model_dump(by_alias=True)
        for stored in oldest_use
    ]
