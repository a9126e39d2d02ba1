"""What a trace tells of a message: that it was sent, and what came of it.

Names are OpenTelemetry's own for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
"""

from contextlib import AbstractContextManager

from aio_pika.abc import AbstractIncomingMessage, AbstractMessage

from ekiden import tracing


def publishing(exchange: str, key: str, message: AbstractMessage) -> AbstractContextManager[None]:
    name = f"{exchange or 'default'}.{key} publish"
    return tracing.span(name, _about("publish", "send", exchange, key, message), "PRODUCER")


def processing(message: AbstractIncomingMessage) -> AbstractContextManager[None]:
    """In the trace of whoever sent it."""
    exchange, key = message.exchange or "", message.routing_key or ""
    about = _about("process", "process", exchange, key, message)
    sent_at = str(message.headers.get("traceparent", ""))
    return tracing.span(f"{exchange or 'default'}.{key} process", about, "CONSUMER", within=sent_at)


def _about(operation: str, kind: str, exchange: str, key: str, message: AbstractMessage) -> tracing.Attributes:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": exchange or "default",
        "messaging.rabbitmq.destination.routing_key": key,
        "messaging.message.id": message.message_id or "",
    }
