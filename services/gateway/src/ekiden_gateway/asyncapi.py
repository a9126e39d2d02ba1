"""The AsyncAPI document: the messages between the services, made from their models and from the broker's topology."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ekiden.broker import topology
from ekiden.domain.ids import SessionId, TaskId
from ekiden.domain.plan import Provider
from ekiden.messages.envelope import Envelope, GenerateText, SearchWeb, SessionMoved, TaskCompleted, TaskFailed
from ekiden_gateway.models.wire import EXAMPLE_SESSION, EXAMPLE_TASK

Json = dict[str, Any]
_STAMP: Mapping[str, Any] = {
    "message_id": "0199c0ff-ee00-7777-8888-999900001111",
    "sent_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
}
_TASK: Mapping[str, Any] = {"task_id": TaskId(EXAMPLE_TASK), "session_id": SessionId(EXAMPLE_SESSION)}
DEATH: Mapping[str, str] = {
    "ekiden-queue": "Where it died",
    "ekiden-reason": "undecodable, oversized or handler_crashed",
    "ekiden-error": "The first error, as text",
    "ekiden-exchange": "Where it had been sent",
    "ekiden-routing-key": "With which routing key",
    "ekiden-deaths": "How often it has died with this one",
    "ekiden-died-at": "When, RFC 3339",
    "ekiden-size": "The bytes its body had; of a longer one only the beginning is kept",
}
"""The headers of a dead letter; the broker's own, of what used up its deliveries, say it in `x-death`."""


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of message: on which routing key or queue, an example of it, and who speaks with whom."""

    name: str
    exchange: str
    key: str
    example: Envelope
    senders: str
    receivers: str
    queue: str | None


LINES: tuple[Line, ...] = (
    Line(
        "generateText",
        topology.COMMANDS,
        Provider.GPT,
        GenerateText(**_STAMP, **_TASK),
        "gateway, orchestrator",
        "one gpt-worker",
        topology.task_queue(Provider.GPT),
    ),
    Line(
        "searchWeb",
        topology.COMMANDS,
        Provider.PERPLEXITY,
        SearchWeb(**_STAMP, **_TASK),
        "gateway, orchestrator",
        "one perplexity-worker",
        topology.task_queue(Provider.PERPLEXITY),
    ),
    Line(
        "taskCompleted",
        topology.EVENTS,
        topology.TASK_COMPLETED,
        TaskCompleted(**_STAMP, **_TASK),
        "gpt-worker, perplexity-worker",
        "one orchestrator",
        topology.ORCHESTRATOR,
    ),
    Line(
        "taskFailed",
        topology.EVENTS,
        topology.TASK_FAILED,
        TaskFailed(**_STAMP, **_TASK),
        "gpt-worker, perplexity-worker",
        "one orchestrator",
        topology.ORCHESTRATOR,
    ),
    Line(
        "sessionMoved",
        topology.EVENTS,
        topology.SESSION_EVENTS,
        SessionMoved(**_STAMP, session_id=SessionId(EXAMPLE_SESSION), version=2, status="EXECUTING"),
        "gateway, orchestrator",
        "every gateway, for live views; may be lost",
        None,
    ),
)


@cache
def document() -> Json:
    """The same whatever gateway says it."""
    channels = {line.name: _channel(line) for line in LINES} | {"deadLetters": _dead_letters()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ekiden messages",
            "version": "1.0.0",
            "description": "A message is only a wake-up: losing one costs seconds, repeating one changes nothing. "
            "It carries ids, never blobs. Readers ignore unknown fields; new fields have defaults.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": dict(_operations()),
        "components": {"messages": {line.name: _message(line.example) for line in LINES} | {"deadLetter": _letter()}},
    }


def _channel(line: Line) -> Json:
    amqp: Json = {"is": "routingKey", "exchange": _exchange(line.exchange), "bindingVersion": "0.3.0"}
    if line.queue is not None:
        amqp["queue"] = _queue(line.queue)
    return {
        "address": line.key,
        "description": f"Sent by {line.senders}; taken by {line.receivers}.",
        "messages": {line.name: {"$ref": f"#/components/messages/{line.name}"}},
        "bindings": {"amqp": amqp},
    }


def _dead_letters() -> Json:
    return {
        "address": topology.DEAD_LETTERS,
        "description": "What nobody could handle. The orchestrators put it into the database, from where it can be "
        "looked at, replayed and dropped.",
        "messages": {"deadLetter": {"$ref": "#/components/messages/deadLetter"}},
        "bindings": {"amqp": {"is": "queue", "queue": _queue(topology.DEAD_LETTERS), "bindingVersion": "0.3.0"}},
    }


def _exchange(name: str) -> Json:
    return {"name": name, "type": topology.EXCHANGES[name].value, "durable": True, "autoDelete": False, "vhost": "/"}


def _queue(name: str) -> Json:
    arguments = topology.queue(name).declared_arguments
    return {
        "name": name,
        "durable": True,
        "exclusive": False,
        "autoDelete": False,
        "vhost": "/",
        "x-arguments": arguments,
    }


def _operations() -> Iterable[tuple[str, Json]]:
    for line in LINES:
        lasting = line.queue is not None
        yield f"send-{line.name}", _operation("send", line.name, line.senders, {"mandatory": lasting})
        yield f"receive-{line.name}", _operation("receive", line.name, line.receivers, {"ack": lasting})
    yield "receive-deadLetters", _operation("receive", "deadLetters", "one orchestrator", {"ack": True})


def _operation(action: str, channel: str, who: str, amqp: Json) -> Json:
    return {
        "action": action,
        "summary": f"By {who}.",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {"amqp": amqp | {"bindingVersion": "0.3.0"}},
    }


def _message(example: Envelope) -> Json:
    kind = type(example)
    return {
        "name": kind.__name__,
        "title": kind.__name__,
        "summary": kind.__doc__,
        "contentType": "application/json",
        "payload": kind.model_json_schema(mode="serialization"),
        "examples": [{"name": "one", "payload": example.model_dump(mode="json", by_alias=True)}],
    }


def _letter() -> Json:
    headers = {name: {"type": ["string", "integer"], "description": says} for name, says in DEATH.items()}
    return {
        "name": "DeadLetter",
        "title": "DeadLetter",
        "summary": "A message as it was, with the reason of its death in its headers.",
        "headers": {"type": "object", "properties": headers},
        "payload": {"description": "Whatever it was"},
    }
