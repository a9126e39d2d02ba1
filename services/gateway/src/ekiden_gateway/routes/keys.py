"""API keys: made, listed, limited, revoked. For operators."""

from dataclasses import replace
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Response

from ekiden.store.api_keys import ACTIVE_KEYS, ApiKey
from ekiden.store.sessions import Idempotency
from ekiden_gateway import intake, once
from ekiden_gateway.access import IdempotencyKey, Operator, UsedParts, once_begun, operator
from ekiden_gateway.conditional import IfMatch, etag, must_match, tagged
from ekiden_gateway.documented import documented, header
from ekiden_gateway.keys import Scope, digest_of, new_secret
from ekiden_gateway.kinds import (
    CHANGED_MEANWHILE,
    KEY_MADE_BEFORE,
    KEY_REUSED,
    LAST_ADMIN,
    REQUEST_RUNNING,
    TWO_KEYS,
    UNKNOWN_KEY,
)
from ekiden_gateway.listing import Limit, cursor_at, cursor_parameter, read_cursor
from ekiden_gateway.models.keys import EXAMPLE_KEY, KeyAnswer, KeyPage, LimitKey, MadeKey, MakeKey
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import keys as views

log = structlog.get_logger()
router = APIRouter(prefix=views.BASE, tags=["keys"], dependencies=[Depends(operator)])
KeyPath = Annotated[str, Path(alias="keyId", pattern=r"^key_[0-9a-f]{32}$", examples=[EXAMPLE_KEY])]
_MANAGING = frozenset({Scope.WRITE, Scope.ADMIN})
_MADE = {201: {"headers": {"Location": header("The path of the key", {"type": "string"})}}}


@router.post(
    "",
    operation_id="createKey",
    status_code=201,
    response_model=MadeKey,
    responses=documented(TWO_KEYS, LAST_ADMIN, KEY_MADE_BEFORE, REQUEST_RUNNING, KEY_REUSED) | _MADE,
    dependencies=[Depends(once_begun)],
)
async def create(
    asked: MakeKey, parts: UsedParts, by: Operator, response: Response, known_as: IdempotencyKey
) -> MadeKey:
    """Make a key for a client; its secret is in this answer, and nowhere else. A client has at most two active keys.

    The first key closes an open gateway, so it must have the scopes `write` and `admin`. What was made while it was
    open belongs to the client `local`. Under an `Idempotency-Key` one key is made; a repeat is told which, as nobody
    can show its secret again.
    """
    idempotency = intake.idempotency(known_as, asked)
    if not set(asked.scopes) >= _MANAGING and await parts.callers.is_open() and not await _somebody_manages(parts):
        raise Problem(
            LAST_ADMIN, f"The first key needs the scopes write and admin: it closes the gateway. {LAST_ADMIN.remedy}"
        )
    secret = new_secret()
    key = await _new_key(parts, asked, by.client)
    most = ACTIVE_KEYS - len(parts.keyring.of(asked.client))
    if not await parts.keys.create(key, digest_of(secret), most, idempotency):
        raise await _refused(parts, by.client, asked.client, idempotency)
    parts.callers.changed(key.client)
    log.info("api_key_created", key_id=key.id, client=key.client, scopes=sorted(key.scopes), by=by.client)
    response.headers["Location"] = f"{views.BASE}/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return views.made(key, secret)


@router.get("", operation_id="listKeys", response_model=KeyPage, responses=documented())
async def page(
    parts: UsedParts,
    client: Annotated[str | None, Query(max_length=200, description="Only this client's")] = None,
    revoked: Annotated[bool, Query(description="Also those that open nothing any more")] = False,
    limit: Limit = 20,
    after: Annotated[str | None, cursor_parameter("key-cursor")] = None,
) -> KeyPage:
    """List keys, newest first, without their secrets. Those of the environment are in the environment only."""
    wanted = {"client": client} if client is not None else {}
    found = await parts.keys.page(wanted, read_cursor(after, "key"), limit + 1, revoked=revoked)
    last = found[limit - 1] if len(found) > limit else None
    following = cursor_at(last.created_at, last.id) if last else None
    return KeyPage(items=[views.key(key) for key in found[:limit]], next_cursor=following)


@router.get("/{keyId}", operation_id="getKey", response_model=KeyAnswer, responses=documented(UNKNOWN_KEY) | tagged())
async def show(parts: UsedParts, key_id: KeyPath, response: Response) -> KeyAnswer:
    """Show a key, without its secret. Its `ETag`, given as `If-Match`, keeps a change from undoing somebody else's."""
    return _answer(await _known(parts, key_id), response)


@router.patch(
    "/{keyId}",
    operation_id="limitKey",
    response_model=KeyAnswer,
    responses=documented(UNKNOWN_KEY, CHANGED_MEANWHILE) | tagged(),
)
async def limit_key(
    parts: UsedParts, by: Operator, key_id: KeyPath, asked: LimitKey, response: Response, seen: IfMatch = None
) -> KeyAnswer:
    """Change a client's quota, at all gateways within seconds. The newest active key's limits hold for the client."""
    changes = asked.model_dump(by_alias=True, exclude_unset=True)
    while True:
        key = await _known(parts, key_id)
        must_match(seen, etag(key.revision))
        if key.revoked_at is not None:
            raise Problem(UNKNOWN_KEY, f"The key {key_id} is revoked.")
        if changed := await parts.keys.limit(key, changes):
            parts.callers.changed(changed.client)
            log.info("api_key_limited", key_id=key_id, client=changed.client, by=by.client, **changes)
            return _answer(changed, response)


@router.delete("/{keyId}", operation_id="revokeKey", status_code=204, responses=documented(UNKNOWN_KEY, LAST_ADMIN))
async def revoke(parts: UsedParts, by: Operator, key_id: KeyPath) -> Response:
    """End a key: this gateway refuses it at once, the others within two seconds. Repeating it changes nothing.

    One may revoke the key one comes with, but not the last one that can manage keys.
    """
    key = await _known(parts, key_id)
    if key.revoked_at is not None or not key.scopes >= _MANAGING or _manages_by_environment(parts):
        await parts.keys.revoke(key_id)
    elif not await parts.keys.revoke_unless_last(key_id, _MANAGING):
        raise Problem(LAST_ADMIN, f"Without the key {key_id} nobody could manage keys. {LAST_ADMIN.remedy}")
    parts.callers.changed(key.client)
    if key.revoked_at is None:
        log.info("api_key_revoked", key_id=key_id, client=key.client, by=by.client)
    return Response(status_code=204)


async def _new_key(parts: Parts, asked: MakeKey, by: str) -> ApiKey:
    now = parts.database.clock.now()
    key = ApiKey(parts.stamp.key_id(), asked.client, frozenset(asked.scopes), now, by)
    present = await parts.keys.active_of(asked.client)
    limits = {"rate_per_minute", "concurrent_sessions"}
    taken_over = {name: getattr(present[0], name) for name in limits - asked.model_fields_set} if present else {}
    return replace(key, **{name: getattr(asked, name) for name in limits} | taken_over)


async def _refused(parts: Parts, by: str, client: str, known_as: Idempotency | None) -> Problem:
    """Why no key was made: the same request made one before, or the client has its two."""
    if (before := await once.created_before(parts.keys, by, known_as)) is not None:
        return Problem(KEY_MADE_BEFORE, f"This request made {before.id}. {KEY_MADE_BEFORE.remedy}")
    ways = views.to_revoke(await parts.keys.active_of(client))
    held = len(parts.keyring.of(client))
    where = f"{held} of them in EKIDEN_API_KEYS" if held else "both made here"
    return Problem(TWO_KEYS, f"{client} has two active keys, {where}. {TWO_KEYS.remedy}", extra={"whatWorks": ways})


def _manages_by_environment(parts: Parts) -> bool:
    return any(key.scopes >= _MANAGING for key in parts.keyring.keys)


async def _somebody_manages(parts: Parts) -> bool:
    return _manages_by_environment(parts) or await parts.keys.any_with(_MANAGING)


async def _known(parts: Parts, key_id: str) -> ApiKey:
    found = await parts.keys.one(key_id)
    if found is None:
        raise Problem(UNKNOWN_KEY, f"There is no key {key_id}.")
    return found


def _answer(key: ApiKey, response: Response) -> KeyAnswer:
    response.headers["ETag"] = etag(key.revision)
    return views.key(key)
