"""How a dead letter travels: what is written on it when it is buried, and read when it is taken from its queue.

Two roads lead there. Ours (`inscription`) says why in headers of our own. The broker's, for what killed its consumers
until the delivery limit or was rejected, says so in `x-death`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from ekiden.broker import topology
from ekiden.messages.dead_letter import KEPT_BODY_BYTES, DeadLetter

UNDECODABLE = "undecodable"
OVERSIZED = "oversized"
HANDLER_CRASHED = "handler_crashed"
LONGEST_TEXT = 2000
MOST_HEADERS = 50
_MOST = 2**31 - 1
_OURS = "ekiden-"
_BROKERS = "x-"


def inscription(message: AbstractIncomingMessage, queue: str, reason: str, error: str, now: datetime) -> Message:
    """The letter to bury in place of a message: a body above `KEPT_BODY_BYTES` loses its end."""
    own = {
        "ekiden-queue": queue,
        "ekiden-exchange": message.exchange or "",
        "ekiden-routing-key": message.routing_key or "",
        "ekiden-reason": reason,
        "ekiden-error": error[:LONGEST_TEXT],
        "ekiden-deaths": _number(message.headers, "ekiden-deaths") + 1,
        "ekiden-died-at": now.isoformat(),
        "ekiden-size": len(message.body),
    }
    return _message(message.body[:KEPT_BODY_BYTES], {**_foreign(message.headers), **own}, message)


def replay(letter: DeadLetter) -> Message:
    """The message once more, with the count of its deaths."""
    return _message(letter.body, {"ekiden-deaths": letter.deaths}, letter)


def read(message: AbstractIncomingMessage) -> DeadLetter:
    """What a message of the dead letter queue tells. Whatever it is, it can be read."""
    headers, death = message.headers, _first_death(message.headers)
    ours = "ekiden-reason" in headers
    reason = _text(headers.get("ekiden-reason") or death.get("reason")) or "unknown"
    return DeadLetter(
        queue=_text(headers.get("ekiden-queue") if ours else death.get("queue")),
        exchange=_text(headers.get("ekiden-exchange") if ours else death.get("exchange")),
        routing_key=_text(headers.get("ekiden-routing-key") if ours else _first(death.get("routing-keys"))),
        reason=reason,
        error=_text(headers.get("ekiden-error")) or _broker_says(reason),
        body=message.body[:KEPT_BODY_BYTES],
        size=max(len(message.body), _number(headers, "ekiden-size") if ours else 0),
        deaths=max(1, _number(headers, "ekiden-deaths") + (0 if ours else 1)),
        died_at=_moment(headers.get("ekiden-died-at") if ours else death.get("time")),
        message_id=_text(message.message_id),
        type=_text(message.type),
        content_type=_text(message.content_type),
        headers={_text(name): _text(value) for name, value in list(_foreign(headers).items())[:MOST_HEADERS]},
    )


def _message(body: bytes, headers: Mapping[str, Any], like: AbstractIncomingMessage | DeadLetter) -> Message:
    return Message(
        body,
        headers=dict(headers),
        message_id=like.message_id or None,
        type=like.type or None,
        content_type=like.content_type or None,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def _foreign(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not name.startswith((_OURS, _BROKERS))}


def _first_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The broker's newest entry: it writes the latest death first."""
    first = _first(headers.get("x-death"))
    return cast("Mapping[str, Any]", first) if isinstance(first, dict) else {}


def _first(value: object) -> object:
    """The first of what should be a list; None of anything else."""
    return cast("list[object]", value)[0] if isinstance(value, list) and value else None


def _broker_says(reason: str) -> str:
    if reason == "delivery_limit":
        return f"delivered {topology.DELIVERY_LIMIT} times, and no consumer lived to acknowledge it"
    return f"put aside by the broker: {reason}"


def _text(value: object) -> str:
    """Any header as a text that the database takes."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def _number(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    return min(max(value, 0), _MOST) if isinstance(value, int) else 0


def _moment(value: object) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
