"""The client and `docs/openapi.json` agree: each field, its type and whether it may be null, each call, each answer."""

import json
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Union, cast, get_args, get_origin

import httpx
import jsonschema
import pytest

from ekiden_client import (
    AnswerGate,
    Cancel,
    EkidenClient,
    GateTimeout,
    Pause,
    Resolve,
    ResolveAll,
    RestartPhase,
    RestartSession,
    Resume,
    Retry,
)
from ekiden_client.models import words
from ekiden_client.models.document import Document, Page
from ekiden_client.models.drafts import Draft
from tests.fakes.wire import HandMovedClock

API: dict[str, Any] = json.loads(Path("docs/openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = API["components"]["schemas"]
SESSION = "ses_0199c0ffee0077778888999900001111"
TASK = f"{SESSION}.1E.g1.0"
LETTER = "dl_0123456789abcdef0123456789abcdef"
KEY = "key_0199c0ffee0077778888999900001111"
HOOK = "wh_0199c0ffee0077778888999900001111"
DELIVERY = "whd_0199c0ffee0077778888999900001111"
SCHEDULE = "sch_0199c0ffee0077778888999900001111"
FREE = frozenset(Draft.model_fields) - frozenset(
    {"concept_number", "status", "revision", "edited_content", "flags", "simulated", "created_at", "edited_at"}
)
"""A draft's own texts: its workflow says which there are, so the document names none."""
Call = Callable[[EkidenClient], Awaitable[object]]

WORDS = frozenset(f"{verb}Session" for verb in ("start", "continue", "pause", "resume", "cancel", "recover")) | {
    "answerGate"
}
"""They answer 202, or 200 when they are asked what they would do."""

FOR_OTHERS = frozenset(
    {"getGateByLink", "answerGateByLink"}  # for whoever has a link, and no client
    | {"explainProblem", "listProblems", "readDocumentation", "getAsyncApi"}  # for readers
    | {"getMetrics", "isAlive", "isReady"}  # for whoever runs it; readiness is read whatever its status
)

CALLS: Mapping[str, Call] = {
    "createSession": lambda client: client.sessions.create(
        "AI", style="insight", platform="twitter", language="en", workflow="viral-content", inputs={}, budget_usd=1.0,
        auto_advance=False, pause_after_phases=[1], pause_before=["1.EXECUTE"], metadata={"a": "b"}, start=True,
        webhook_url="https://example.org/hook", gate_timeout=GateTimeout(after_seconds=3600, then="approve"),
    ),
    "countSessions": lambda client: client.sessions.counts(),
    "getGate": lambda client: client.sessions.gate(SESSION),
    "answerGate": lambda client: client.sessions.say(SESSION, AnswerGate("before:1.EXECUTE@1", "edit", ["What?"])),
    "answerGate, dry": lambda client: client.sessions.foresee(SESSION, AnswerGate("after:1@1", "stop")),
    "createGateLink": lambda client: client.sessions.gate_link(SESSION, gate="after:1@1", expires_in_seconds=3600),
    "listSessions": lambda client: client.sessions.page(
        status=[words.Status.WAITING], workflow="x", created_after=datetime.fromisoformat("2026-11-22T09:30:00Z"),
        created_before=datetime.fromisoformat("2026-11-22T09:30:00Z"), metadata={"a": "b"}, cursor="abc",
    ),
    "getSession": lambda client: client.sessions.get(SESSION),
    "getAsyncStatus": lambda client: client.sessions.status(SESSION),
    "startSession": lambda client: client.sessions.start(SESSION),
    "continueSession": lambda client: client.sessions.go_on(SESSION, items=["What?"], budget_usd=2.0),
    "pauseSession": lambda client: client.sessions.say(SESSION, Pause()),
    "resumeSession": lambda client: client.sessions.say(SESSION, Resume()),
    "cancelSession": lambda client: client.sessions.say(SESSION, Cancel()),
    "cancelSession, dry": lambda client: client.sessions.foresee(SESSION, Cancel()),
    "checkHealth": lambda client: client.sessions.health(SESSION),
    "recoverSession, retry": lambda client: client.sessions.say(SESSION, Retry()),
    "recoverSession, phase": lambda client: client.sessions.say(
        SESSION, RestartPhase(1, [{"question": "What?"}], fresh=True)
    ),
    "recoverSession, session": lambda client: client.sessions.say(SESSION, RestartSession()),
    "recoverSession, resolve": lambda client: client.sessions.say(SESSION, Resolve(TASK, "attach", "resp_1")),
    "recoverSession, all": lambda client: client.sessions.say(SESSION, ResolveAll("give_up")),
    "recoverSession, dry": lambda client: client.sessions.foresee(SESSION, RestartPhase(2)),
    "listTasks": lambda client: client.sessions.tasks(SESSION),
    "getTask": lambda client: client.sessions.task(SESSION, TASK),
    "listEvents": lambda client: client.sessions.history(SESSION, after=3),
    "replaySession": lambda client: client.sessions.replay(SESSION, workflow="viral-content", budget_usd=1.0),
    "replaySession, dry": lambda client: client.sessions.foresee_replay(SESSION),
    "getReport": lambda client: client.sessions.report(SESSION, "html"),
    "listDrafts": lambda client: client.sessions.drafts(SESSION),
    "listDrafts, csv": lambda client: client.sessions.drafts_as(SESSION, "csv", bom=True),
    "getDraft": lambda client: client.sessions.draft(SESSION, 1),
    "editDraft": lambda client: client.sessions.edit_draft(SESSION, 1, content="…", status="POSTED", etag='"g1.0"'),
    "listWorkflows": lambda client: client.workflows.list(),
    "getWorkflow": lambda client: client.workflows.get("viral-content"),
    "listProviders": lambda client: client.providers.page(),
    "openBreaker": lambda client: client.providers.open("gpt", "why"),
    "closeBreaker": lambda client: client.providers.close("gpt"),
    "listDeadLetters": lambda client: client.dead_letters.page(queue="a", reason="b", replayed=True, cursor="c"),
    "getDeadLetter": lambda client: client.dead_letters.get(LETTER),
    "replayDeadLetter": lambda client: client.dead_letters.replay(LETTER),
    "replayDeadLetters": lambda client: client.dead_letters.replay_many(queue="a", reason="b", limit=5),
    "dropDeadLetter": lambda client: client.dead_letters.drop(LETTER),
    "dropDeadLetters": lambda client: client.dead_letters.drop_many(queue="a", reason="b"),
    "createKey": lambda client: client.keys.create("a", ["read"], rate_per_minute=60, concurrent_sessions=None),
    "getOwnKey": lambda client: client.keys.own(),
    "listKeys": lambda client: client.keys.page(client="a", revoked=True, cursor="c"),
    "getKey": lambda client: client.keys.get(KEY),
    "limitKey": lambda client: client.keys.limit(KEY, rate_per_minute=None, concurrent_sessions=5, etag='"1"'),
    "revokeKey": lambda client: client.keys.revoke(KEY),
    "createWebhook": lambda client: client.webhooks.create("https://example.org/a", events=["session.failed"]),
    "listWebhooks": lambda client: client.webhooks.page(cursor="c"),
    "getWebhook": lambda client: client.webhooks.get(HOOK),
    "editWebhook": lambda client: client.webhooks.edit(
        HOOK, url="https://example.org/b", events=None, enabled=True, etag='"1"'
    ),
    "deleteWebhook": lambda client: client.webhooks.delete(HOOK),
    "rotateWebhookSecret": lambda client: client.webhooks.rotate_secret(HOOK),
    "testWebhook": lambda client: client.webhooks.test(HOOK),
    "listDeliveries": lambda client: client.webhooks.deliveries(HOOK, status="FAILED", cursor="c"),
    "getDelivery": lambda client: client.webhooks.delivery(HOOK, DELIVERY),
    "replayDelivery": lambda client: client.webhooks.replay(HOOK, DELIVERY),
    "createSchedule": lambda client: client.schedules.create(
        "a", "0 9 * * *", "Asia/Tokyo", {"theme": "AI"}, overlap="queue", catch_up_seconds=60, budget_usd=5.0
    ),
    "listSchedules": lambda client: client.schedules.page(cursor="c"),
    "getSchedule": lambda client: client.schedules.get(SCHEDULE),
    "editSchedule": lambda client: client.schedules.edit(
        SCHEDULE, name="b", cron="0 8 * * *", time_zone="UTC", session={"theme": "AI"}, overlap="skip",
        catch_up_seconds=0, budget_usd=None, etag='"1"',
    ),
    "deleteSchedule": lambda client: client.schedules.delete(SCHEDULE),
    "pauseSchedule": lambda client: client.schedules.pause(SCHEDULE, "Holidays"),
    "resumeSchedule": lambda client: client.schedules.resume(SCHEDULE),
    "fireSchedule": lambda client: client.schedules.fire(SCHEDULE),
    "previewSchedule": lambda client: client.schedules.preview(SCHEDULE, count=3),
    "listRuns": lambda client: client.schedules.runs(SCHEDULE, cursor="c"),
    "getOpenApi": lambda client: client.service.version(),
}  # fmt: skip


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in API["paths"].items():
        for method, operation in methods.items():
            if "operationId" in operation:
                yield method.upper(), path, operation


def operation_of(request: httpx.Request) -> tuple[str, Mapping[str, Any]]:
    """The operation that a request is for; a path without parameters wins over one with."""
    asked = request.url.path.split("/")
    found = [
        (path, operation)
        for method, path, operation in operations()
        if method == request.method and _fits(path.split("/"), asked)
    ]
    assert found, f"the API has no {request.method} {request.url.path}"
    path, operation = min(found, key=lambda pair: pair[0].count("{"))
    return path, operation


def _fits(pattern: Sequence[str], asked: Sequence[str]) -> bool:
    return len(pattern) == len(asked) and all(
        part == given or part.startswith("{") for part, given in zip(pattern, asked, strict=True)
    )


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        place: Any = API
        for part in schema["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        schema = place
    return schema


def sample(schema: Mapping[str, Any]) -> Any:
    """A document of a schema with every field in it: examples where there are some, otherwise something of its type."""
    schema = resolved(schema)
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        return {name: sample(field) for name, field in schema["properties"].items()}
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return sample(next(option for option in options if option.get("type") != "null"))
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "array":
            return [sample(schema["items"])]
        case "object":
            more = schema.get("additionalProperties")
            return {"key": sample(more)} if isinstance(more, dict) else {}
        case "string" if schema.get("format") == "date-time":
            return "2026-11-22T09:30:00Z"
        case "string":
            return (schema.get("examples") or ["text"])[0]
        case "integer":
            return 7
        case "number":
            return 0.5
        case "boolean":
            return True
        case _:
            return {"anything": 1}


class Oracle(httpx.AsyncBaseTransport):
    """Holds each request to the document, and answers as it promises, with a field more than it names."""

    def __init__(self, status: str | None = None) -> None:
        self._status = status
        self.operation = ""
        self.schema: Mapping[str, Any] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _, operation = operation_of(request)
        self.operation = operation["operationId"]
        self._check_parameters(request, operation)
        self._check_body(request, operation)
        status = self._status or min(code for code in operation["responses"] if code.startswith("20"))
        if status == "204":
            return httpx.Response(204)
        kinds = resolved(operation["responses"][status])["content"]
        wanted = f"text/{request.url.params.get('format')}"
        if wanted in kinds:
            return httpx.Response(int(status), headers={"content-type": wanted}, text="a text")
        content = kinds["application/json"]
        self.schema = resolved(content["schema"].get("anyOf", [content["schema"]])[0])
        body = sample(self.schema)
        if self.operation == "getOpenApi":
            body = {"info": API["info"]}
        return httpx.Response(int(status), headers={"etag": '"g1.0"'}, json=body | {"fieldOfTomorrow": {"a": 1}})

    def _check_parameters(self, request: httpx.Request, operation: Mapping[str, Any]) -> None:
        known = [resolved(parameter) for parameter in operation.get("parameters", [])]
        names = {parameter["name"] for parameter in known if parameter["in"] == "query"}
        assert request.url.params.keys() <= names
        schemas = {parameter["name"].lower(): parameter["schema"] for parameter in known}
        for name in ("idempotency-key", "if-match"):
            if name in request.headers:
                jsonschema.validate(request.headers[name], schemas[name])

    def _check_body(self, request: httpx.Request, operation: Mapping[str, Any]) -> None:
        if request.content:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            jsonschema.validate(json.loads(request.content), {**schema, "components": API["components"]})


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_asks_as_the_document_says_and_understands_the_answer(name: str) -> None:
    operation, _, dry = name.partition(", ")
    done = {"replaySession": "201"}.get(operation, "202" if operation in WORDS else None)
    oracle = Oracle(done if dry != "dry" else None)
    async with EkidenClient("http://gateway", key="", transport=oracle, clock=HandMovedClock()) as client:
        answer = await CALLS[name](client)

    assert oracle.operation == operation
    found = answer[0] if isinstance(answer, Sequence) and not isinstance(answer, str) else answer
    if isinstance(found, Document):
        schema = oracle.schema
        if found is not answer:  # the first of a list
            schema = next(iter(schema["properties"].values()))["items"]
        assert list(mismatches(type(found), schema)) == []
        rows = found.items if isinstance(found, Page) else ()
        assert all(not list(mismatches(type(row), schema["properties"]["items"]["items"])) for row in rows)


def test_whatever_the_gateway_can_do_the_client_can_ask_for() -> None:
    known = {operation["operationId"] for _, _, operation in operations()}

    assert known - {name.partition(", ")[0] for name in CALLS} == FOR_OTHERS


def mismatches(model: type[Document], schema: Mapping[str, Any]) -> Iterator[str]:
    """Each field that the client names and the document does not, or has another type for."""
    schema = resolved(schema)
    for name, field in model.model_fields.items():
        where = f"{model.__name__}.{name}"
        told = schema["properties"].get(field.alias or name)
        if (issubclass(model, Draft) and name in FREE) or name == "etag":
            continue
        if told is None:
            if name != "body":  # only a single dead letter has it
                yield f"{where} is nowhere in the document"
            continue
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        yield from (f"{where}: {problem}" for problem in unlike(annotation, told))
        if field.is_required() and (field.alias or name) not in schema["required"]:
            yield f"{where} is needed here and may be left out there"


def unlike(annotation: Any, told: Mapping[str, Any]) -> Iterator[str]:
    options, nullable = _options(annotation)
    schemas = [resolved(option) for option in told.get("anyOf", [told])]
    may_be_null = any(schema.get("type") == "null" for schema in schemas)
    if may_be_null and not nullable and Any not in options:
        yield "may be null"
    for schema in schemas:
        if schema.get("type") != "null" and not any(_is_like(option, schema) for option in options):
            yield f"{annotation} is not {schema}"
    for option in options:
        if isinstance(option, type) and issubclass(option, Document):
            yield from mismatches(option, schemas[0])


def _options(annotation: Any) -> tuple[list[Any], bool]:
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_options(part) for part in get_args(annotation)]
        found = [option for options, _ in parts for option in options if option is not types.NoneType]
        return found, any(nullable for _, nullable in parts) or types.NoneType in get_args(annotation)
    return [annotation], annotation is types.NoneType


def _is_like(option: Any, schema: Mapping[str, Any]) -> bool:
    if option is Any:
        return True
    kind, origin = schema.get("type"), get_origin(option)
    if isinstance(option, type) and issubclass(option, StrEnum):
        return set(option) == set(schema.get("enum", ()))
    if isinstance(option, type) and issubclass(option, Document):
        return "properties" in schema
    if origin in (tuple, Sequence):
        return kind == "array" and not list(unlike(get_args(option)[0], schema["items"]))
    if origin is Mapping:
        more = schema.get("additionalProperties")
        values = cast("Mapping[str, Any]", more) if isinstance(more, dict) else {}
        return kind == "object" and not list(unlike(get_args(option)[1], values))
    if option is datetime:
        return kind == "string" and schema.get("format") == "date-time"
    expected = {str: "string", int: "integer", float: "number", bool: "boolean"}.get(option)
    return kind == expected and schema.get("format") != "date-time"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (words.Status, "Status"),
        (words.WaitingReason, "WaitingReason"),
        (words.Step, "Step"),
        (words.TaskStatus, "TaskStatus"),
        (words.TaskType, "TaskType"),
        (words.DraftStatus, "DraftStatus"),
        (words.BreakerState, "BreakerState"),
        (words.ActorKind, "ActorKind"),
        (words.GateDefault, "GateDefault"),
        (words.Scope, "Scope"),
        (words.EventKind, "EventKind"),
        (words.DeliveryStatus, "DeliveryStatus"),
        (words.Overlap, "Overlap"),
        (words.Outcome, "Outcome"),
        (words.Reason, "Reason"),
    ],
)
def test_the_words_are_those_of_the_gateway(ours: type[StrEnum], theirs: str) -> None:
    assert set(ours) == set(SCHEMAS[theirs]["enum"])
