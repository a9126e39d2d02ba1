"""The documents of the API: in git, not out of date, complete, and true of their own examples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ekiden.broker import dead_letters, topology
from ekiden.messages import envelope
from ekiden_gateway import asyncapi, reference
from ekiden_gateway.app import ROUTES
from ekiden_gateway.documents import DOCUMENTS
from ekiden_gateway.kinds import KINDS
from ekiden_gateway.problems import MEDIA_TYPE
from tests.unit.messages.test_samples import kinds

DOCS = Path(__file__).parents[2] / "docs"
OPENAPI: dict[str, Any] = json.loads(DOCUMENTS["openapi.json"]())
ASYNCAPI: dict[str, Any] = json.loads(DOCUMENTS["asyncapi.json"]())
PAGE = reference.page(OPENAPI, KINDS.values())


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in OPENAPI["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def answers(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation["responses"].items():
        name = answer.get("$ref", "").rpartition("/")[2]
        yield status, OPENAPI["components"]["responses"][name] if name else answer


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": OPENAPI["components"]})


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_a_document_in_git_is_what_is_made_today(name: str) -> None:
    made = DOCUMENTS[name]()
    assert (DOCS / name).read_text("utf-8") == made, f"docs/{name} is out of date: run `make docs`"


# ── OpenAPI ──────────────────────────────────────────────────────────────────────────────────────────────


def test_every_route_is_described() -> None:
    described = {tuple(label.split(" ")) for label, _ in operations()}
    routes = {(method.lower(), r.path) for r in ROUTES if r.include_in_schema for method in r.methods or ()}
    assert described == routes


@pytest.mark.parametrize(("label", "operation"), list(operations()))
def test_an_operation_says_what_it_is_and_all_that_it_can_answer(label: str, operation: dict[str, Any]) -> None:
    assert operation["operationId"]
    assert operation["tags"]
    assert operation["description"]
    given = dict(answers(operation))
    assert any(status.startswith("2") for status in given)
    for status, answer in given.items():
        assert "X-Request-ID" in answer["headers"], status
        for media, content in answer.get("content", {}).items():
            assert content["schema"], f"{status} {media}"
            assert media != "application/json" or content["schema"] != {}
        if status.startswith("4") or (status == "503" and label != "get /readyz"):
            assert list(answer["content"]) == [MEDIA_TYPE]
        if status == "503":
            assert answer["headers"]["Retry-After"]["required"]
    path = label.split(" ")[1]
    if path.startswith("/api/gates/"):
        assert "security" not in operation, "a link stands in place of a key"
    elif path.startswith("/api"):
        assert {"401", "403", "422"} <= set(given)
        assert operation["security"]
        assert label.startswith("get") or "413" in given


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))


def test_every_kind_of_problem_that_a_route_can_meet_is_described_at_one() -> None:
    described = {name for _, op in operations() for _, answer in answers(op) for name in _kinds(answer)}
    by_browsers = {"foreign-origin", "stale-form"}
    assert set(KINDS) - described - by_browsers == {"method-not-allowed", "internal-error"}, "met everywhere, or never"


def _kinds(answer: dict[str, Any]) -> list[str]:
    return list(answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", []))


def test_every_example_is_true_of_its_schema() -> None:
    for name, schema in OPENAPI["components"]["schemas"].items():
        for example in schema.get("examples", []):
            assert not list(validator(schema).iter_errors(example)), name
    for name, answer in OPENAPI["components"]["responses"].items():
        content = answer["content"][MEDIA_TYPE]
        for example in content["examples"].values():
            assert not list(validator(content["schema"]).iter_errors(example["value"])), name


@pytest.mark.parametrize(
    ("wish", "is_one"),
    [
        ({"theme": "t"}, True),
        ({"expertise": "t", "theme": None}, True),
        ({"theme": "t", "style": "insight", "pauseAfterPhases": [4], "pauseBefore": ["1.EXECUTE"]}, True),
        ({}, False),
        ({"theme": " "}, False),
        ({"theme": "t", "style": "rude"}, False),
        ({"theme": "t", "pauseAfterPhases": [5]}, False),
        ({"theme": "t", "language": "fr"}, False),
        ({"theme": "t", "workflow": "no-such"}, False),
        ({"theme": "t", "unheard": "of"}, False),
        ({"theme": "t", "metadata": {"a.b": "c"}}, False),
    ],
)
def test_the_schema_of_a_new_session_is_as_exact_as_the_gateway(wish: dict[str, Any], *, is_one: bool) -> None:
    schema = validator({"$ref": "#/components/schemas/CreateSession"})
    assert schema.is_valid(wish) == is_one


# ── AsyncAPI ─────────────────────────────────────────────────────────────────────────────────────────────


def test_every_message_and_every_queue_is_described() -> None:
    named = {message["name"] for message in ASYNCAPI["components"]["messages"].values()}
    sent = {kind.__name__ for kind in kinds(envelope.Envelope) if kind.__module__ == envelope.__name__}
    assert named == sent | {"DeadLetter"}
    bindings = [channel["bindings"]["amqp"] for channel in ASYNCAPI["channels"].values()]
    assert {amqp["queue"]["name"] for amqp in bindings if "queue" in amqp} == {q.name for q in topology.queues()}
    assert {amqp["exchange"]["name"] for amqp in bindings if "exchange" in amqp} == set(topology.EXCHANGES)


def test_every_channel_is_spoken_on_and_heard() -> None:
    told = {(op["action"], op["channel"]["$ref"].rpartition("/")[2]) for op in ASYNCAPI["operations"].values()}
    both = {(action, line.name) for action in ("send", "receive") for line in asyncapi.LINES}
    assert told == both | {("receive", "deadLetters")}


def test_every_example_of_a_message_decodes() -> None:
    for message in ASYNCAPI["components"]["messages"].values():
        for example in message.get("examples", []):
            assert getattr(envelope, message["name"]).model_validate(example["payload"])
            assert Draft202012Validator(message["payload"]).is_valid(example["payload"])


def test_the_headers_of_a_dead_letter_are_those_it_gets() -> None:
    source = Path(dead_letters.__file__).read_text("utf-8")
    assert set(asyncapi.DEATH) == set(re.findall(r'"(ekiden-[a-z-]+)":', source))


# ── the page to read ─────────────────────────────────────────────────────────────────────────────────────


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    assert not re.search(r"<(script|img|iframe|link|object|form|button)\b|https?://|@import|url\(", PAGE)


def test_what_stands_between_backticks_is_code_and_all_else_is_text() -> None:
    assert reference.prose("an `<id>` & more, `open") == "an <code>&lt;id&gt;</code> &amp; more, `open"


def test_the_page_tells_of_every_operation_and_every_kind_of_problem() -> None:
    for _, operation in operations():
        assert f'id="{operation["operationId"]}"' in PAGE
    for kind in KINDS.values():
        assert f'id="{kind.name}"' in PAGE
