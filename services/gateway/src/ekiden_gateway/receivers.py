"""Receivers of webhooks: which addresses this gateway takes, and how one becomes a webhook."""

from collections.abc import Callable
from dataclasses import replace

from uuid_utils import uuid7

from ekiden.domain.session import Session
from ekiden.store.sessions import Idempotency
from ekiden.webhooks.endpoint import MOST_ADDRESSES, MOST_WEBHOOKS, Secret, Webhook, of_session
from ekiden.webhooks.guard import Forbidden, check
from ekiden.webhooks.signature import new_secret
from ekiden_gateway import once
from ekiden_gateway.conditional import etag, must_match
from ekiden_gateway.kinds import TOO_MANY_WEBHOOKS, UNKNOWN_WEBHOOK, WEBHOOK_OF_SESSIONS
from ekiden_gateway.models.requests import CreateWebhook, EditWebhook
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem, invalid

BY_ITS_OWNER = "its owner disabled it"


def taken(parts: Parts, field: str, url: str) -> str:
    """An address that may be a webhook's. Raises Problem with the reason; where its name leads, the sender looks."""
    _host(parts, field, url)
    return url


async def room_for(parts: Parts, session: Session) -> None:
    """Raises Problem when a session names an address that none has named, and its owner's have named too many."""
    if session.webhook_url is None or await parts.webhooks.load(of_session(session.owner, session.webhook_url)):
        return
    if await parts.webhooks.addresses(session.owner, MOST_ADDRESSES) >= MOST_ADDRESSES:
        raise Problem(TOO_MANY_WEBHOOKS, f"The sessions of {session.owner} name {MOST_ADDRESSES} addresses.")


async def make(parts: Parts, owner: str, asked: CreateWebhook, known_as: Idempotency | None) -> Webhook:
    """Store a webhook, or find the one that the same request stored before. Raises Problem."""
    host = _host(parts, "url", asked.url)
    now = parts.database.clock.now()
    webhook = Webhook(
        id=f"whk_{uuid7().hex}",
        owner=owner,
        url=asked.url,
        host=host,
        created_at=now,
        hears_since=now,
        secrets=(Secret(new_secret()),),
        events=frozenset(asked.events) if asked.events is not None else None,
    )
    return await once.create(parts.webhooks, webhook, known_as, most=MOST_WEBHOOKS, full=TOO_MANY_WEBHOOKS)


async def change(parts: Parts, webhook: Webhook, asked: EditWebhook, seen: str | None) -> Webhook:
    """Do what a person asks to a webhook as it was seen. Raises Problem; what it is already is not written again."""
    return await write(parts, webhook, lambda found: _changed(parts, found, asked), seen)


async def write(
    parts: Parts, webhook: Webhook, make_change: Callable[[Webhook], Webhook], seen: str | None = None
) -> Webhook:
    """Write a change, made anew when somebody else was quicker; `seen` is an `If-Match`. Raises Problem."""
    while True:
        must_match(seen, etag(webhook.revision))
        changed = make_change(webhook)
        if changed == webhook:
            return webhook
        if written := await parts.webhooks.edit(webhook, changed):
            return written
        webhook = await known(parts, webhook.owner, webhook.id)


async def known(parts: Parts, owner: str, webhook_id: str) -> Webhook:
    """An owner's webhook. Raises Problem; another's is as unknown as none."""
    found = await parts.webhooks.load(webhook_id)
    if found is None or found.owner != owner:
        raise Problem(UNKNOWN_WEBHOOK, f"There is no webhook {webhook_id}.")
    return found


def _changed(parts: Parts, webhook: Webhook, asked: EditWebhook) -> Webhook:
    named = asked.model_fields_set
    now = parts.database.clock.now()
    if "url" in named and asked.url != webhook.url:
        if webhook.session_only:
            raise Problem(WEBHOOK_OF_SESSIONS)
        webhook = replace(webhook, url=asked.url, host=_host(parts, "url", asked.url), failing_since=None)
    if "events" in named:
        webhook = replace(webhook, events=frozenset(asked.events) if asked.events is not None else None)
    if "enabled" in named and asked.enabled != (webhook.disabled_at is None):
        if asked.enabled:
            enabled = replace(webhook, disabled_at=None, disabled_because="")
            return replace(enabled, failing_since=None, hears_since=now)
        return replace(webhook, disabled_at=now, disabled_because=BY_ITS_OWNER)
    return webhook


def _host(parts: Parts, field: str, url: str) -> str:
    try:
        return check(url, parts.settings.webhooks_allowed)
    except Forbidden as error:
        raise invalid(field, error.args[0]) from error
