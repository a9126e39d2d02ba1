"""Dead letters as people see them: secrets masked as in the logs, bodies as JSON where they are."""

import json
from collections.abc import Mapping
from typing import Any

from ekiden.broker.topology import work_queues
from ekiden.masking import masked
from ekiden_gateway.models.dead_letters import DeadLetterAnswer, DeadLetterWhole

Document = Mapping[str, Any]


def letter(document: Document) -> DeadLetterAnswer:
    return DeadLetterAnswer.model_validate(_fields(document))


def whole(document: Document) -> DeadLetterWhole:
    return DeadLetterWhole.model_validate({**_fields(document), "body": _body(bytes(document["body"]))})


def not_replayable(document: Document) -> str | None:
    """Why a letter cannot be sent again; None when it can."""
    if document["truncated"]:
        return "only the beginning of its body was kept"
    if document["queue"] not in work_queues():
        return f"it came from {document['queue'] or 'nobody knows where'}, which is no work queue"
    return None


def _fields(document: Document) -> dict[str, object]:
    headers = {str(header["name"]): str(header["value"]) for header in document["headers"]}
    return {
        "id": document["_id"],
        "queue": document["queue"],
        "exchange": document["exchange"],
        "routingKey": document["routingKey"],
        "reason": document["reason"],
        "error": masked(document["error"]),
        "deaths": document["deaths"],
        "diedAt": document["diedAt"],
        "storedAt": document["storedAt"],
        "replayedAt": document.get("replayedAt"),
        "messageId": document["messageId"],
        "sessionId": document["sessionId"],
        "taskId": document["taskId"],
        "sizeBytes": document["size"],
        "truncated": document["truncated"],
        "notReplayable": not_replayable(document),
        "headers": masked(headers),
    }


def _body(body: bytes) -> object:
    text = body.decode("utf-8", "replace")
    try:
        return masked(json.loads(text))
    except (ValueError, RecursionError):
        return masked(text)
