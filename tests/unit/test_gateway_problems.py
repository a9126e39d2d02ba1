"""Every way a request can fail ends in a problem document."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from fastapi import FastAPI

from ekiden.errors import DocumentTooLarge, Unreachable
from ekiden.metrics import HTTP_REQUESTS
from ekiden_gateway import problems
from ekiden_gateway.kinds import KINDS, Kind
from ekiden_gateway.middleware import BodyLimit, RequestContext
from ekiden_gateway.models.problems import ConflictAnswer, InvalidAnswer, ProblemAnswer


def failing_app(largest: int = 10) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit, largest=largest)
    app.add_middleware(RequestContext)

    @app.get("/fail/{how}")
    async def fail(how: str) -> None:
        raise {
            "problem": problems.invalid("theme", "is \ud800 odd"),
            "unreachable": Unreachable("the database does not answer"),
            "large": DocumentTooLarge("it would grow"),
            "bug": ZeroDivisionError("secret detail"),
        }[how]

    @app.post("/echo")
    async def echo(body: dict[str, int]) -> dict[str, int]:
        return body

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(failing_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/fail/problem", 422, "invalid-request"),
        ("/fail/unreachable", 503, "unavailable"),
        ("/fail/large", 409, "session-too-large"),
        ("/nowhere", 404, "not-found"),
        ("/echo", 405, "method-not-allowed"),
    ],
)
async def test_each_failure_has_its_problem(client: httpx.AsyncClient, path: str, status: int, kind: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    body = answer.json()
    assert body["type"] == f"/problems/{kind}"
    assert (body["status"], body["instance"]) == (status, path)
    assert body["requestId"] == answer.headers["x-request-id"]


async def test_an_absent_database_says_when_to_try_again(client: httpx.AsyncClient) -> None:
    assert int((await client.get("/fail/unreachable")).headers["retry-after"]) > 0


async def test_a_bug_tells_nothing_of_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail/bug")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert "secret" not in answer.text


async def test_the_log_has_a_bug_under_the_id_that_the_answer_names(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        answer = await client.get("/fail/bug")
    logged = [line for line in lines if line["event"] == "request_failed"]
    assert [line["request_id"] for line in logged] == [answer.json()["requestId"]]
    assert answer.headers["x-request-id"] == answer.json()["requestId"]


async def test_a_bug_is_counted(client: httpx.AsyncClient) -> None:
    labels = {"method": "GET", "route": "/fail/{how}", "status": "500"}
    before = HTTP_REQUESTS.labels(**labels)._value.get()
    await client.get("/fail/bug")
    assert HTTP_REQUESTS.labels(**labels)._value.get() == before + 1


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=lambda kind: kind.name)
async def test_what_passes_says_when_to_ask_again_and_each_kind_is_answered_as_documented(kind: Kind) -> None:
    answer = problems.response("id", "/here", problems.Problem(kind))
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["type"], body["title"]) == (kind.status, kind.type, kind.title)
    assert ("retry-after" in answer.headers) == (kind.again_seconds is not None)
    assert kind.status != 503 or kind.again_seconds is not None
    model = {409: ConflictAnswer, 422: InvalidAnswer}.get(kind.status, ProblemAnswer)
    assert model.model_validate(body)


@pytest.mark.parametrize("body", [b"{", b"9" * 5000, b"[" * 100_000], ids=["cut", "number", "deep"])
async def test_a_body_that_no_parser_can_read_is_malformed(body: bytes) -> None:
    app = failing_app(largest=1_000_000)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.post("/echo", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


async def test_a_body_may_be_as_long_as_the_limit(client: httpx.AsyncClient) -> None:
    json_type = {"Content-Type": "application/json"}
    assert (await client.post("/echo", content=b'{"a":   1}', headers=json_type)).status_code == 200

    async def chunked() -> AsyncIterator[bytes]:
        yield b'{"a": '
        yield b"    1}"

    for content in (b'{"a":    1}', chunked()):
        answer = await client.post("/echo", content=content, headers=json_type)
        assert (answer.status_code, json.loads(answer.content)["type"]) == (413, "/problems/body-too-large")


async def test_a_strange_request_id_is_replaced(client: httpx.AsyncClient) -> None:
    kept = await client.get("/nowhere", headers={"X-Request-ID": "mine-1"})
    assert kept.headers["x-request-id"] == "mine-1"
    replaced = await client.get("/nowhere", headers={"X-Request-ID": "a b\tc"})
    assert replaced.headers["x-request-id"] != "a b\tc"


def test_the_types_of_problems_are_stable() -> None:
    assert sorted(KINDS) == [
        "at-capacity",
        "body-too-large",
        "broker-away",
        "changed-meanwhile",
        "conflicting-state",
        "forbidden",
        "foreign-origin",
        "idempotency-key-reused",
        "internal-error",
        "invalid-request",
        "key-made-before",
        "last-admin-key",
        "link-expired",
        "link-spent",
        "method-not-allowed",
        "no-gate",
        "not-found",
        "not-replayable",
        "request-running",
        "schedule-not-fired",
        "session-too-large",
        "stale-form",
        "too-many-requests",
        "too-many-schedules",
        "too-many-sessions",
        "too-many-webhooks",
        "two-keys",
        "unauthenticated",
        "unavailable",
        "unknown-dead-letter",
        "unknown-delivery",
        "unknown-draft",
        "unknown-key",
        "unknown-link",
        "unknown-provider",
        "unknown-schedule",
        "unknown-session",
        "unknown-task",
        "unknown-webhook",
        "unknown-workflow",
        "webhook-disabled",
        "webhook-of-sessions",
    ]
