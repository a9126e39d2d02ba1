"""Webhooks and their deliveries as a person reads them."""

import json
from collections.abc import Iterator

from ekiden_cli.moments import minute, second
from ekiden_cli.wrap import clean, shorten
from ekiden_client import Delivery, Webhook, WholeDelivery

_ANSWER_CELLS = 80


def webhook_line(webhook: Webhook) -> Iterator[str]:
    """A webhook in a list: one line."""
    yield f"{webhook.id}  {_state(webhook):<8}  {clean(webhook.url)}  {_hears(webhook)}"


def webhook_lines(webhook: Webhook) -> Iterator[str]:
    """A webhook in `name: value` lines."""
    yield f"Webhook:   {webhook.id}"
    yield f"Address:   {clean(webhook.url)}"
    yield f"Hears:     {_hears(webhook)}"
    yield f"State:     {_state(webhook)}"
    if not webhook.enabled:
        yield f"Because:   {clean(webhook.disabled_because or '')} ({second(webhook.disabled_at)})"
        yield f"           ekiden webhooks edit {webhook.id} --enable"
    elif webhook.failing_since:
        yield f"Since:     {second(webhook.failing_since)} nothing arrives"
    yield f"Created:   {second(webhook.created_at)}"


def delivery_line(delivery: Delivery) -> Iterator[str]:
    """A delivery in a list: one line."""
    again = f"  next at {second(delivery.next_attempt_at)}" if delivery.next_attempt_at else ""
    why = f"  {clean(delivery.because)}" if delivery.because else ""
    tries = "1 attempt" if delivery.attempt_count == 1 else f"{delivery.attempt_count} attempts"
    about = f"  {delivery.session_id}" if delivery.session_id else ""
    head = f"{delivery.id}  {minute(delivery.created_at)}  {delivery.status:<9}"
    yield f"{head}  {delivery.type}{about}  {tries}{again}{why}"


def delivery_lines(delivery: WholeDelivery) -> Iterator[str]:
    """A delivery, every attempt at it, and what is sent."""
    yield from delivery_line(delivery)
    for attempt in delivery.attempts:
        told = str(attempt.status) if attempt.status is not None else clean(attempt.error or "")
        answer = shorten(clean(attempt.response), _ANSWER_CELLS)
        yield f"  {second(attempt.at)}  {attempt.duration_ms} ms  {told}{'  ' if answer else ''}{answer}"
    yield clean(json.dumps(delivery.payload, ensure_ascii=False, indent=2))


def _hears(webhook: Webhook) -> str:
    if webhook.session_only:
        return "of the sessions that name it"
    return "of everything" if webhook.events is None else ", ".join(webhook.events)


def _state(webhook: Webhook) -> str:
    if not webhook.enabled:
        return "disabled"
    return "failing" if webhook.failing_since else "enabled"
