"""Every way a request can fail ends in a problem document."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from ekiden.errors import DocumentTooLarge, Unreachable
from ekiden_gateway import problems
from ekiden_gateway.middleware import BodyLimit, RequestContext


def failing_app() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit, largest=10)
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
    assert sorted(problems.KINDS) == [
        "body-too-large",
        "broker-away",
        "conflicting-state",
        "forbidden",
        "idempotency-key-reused",
        "internal-error",
        "invalid-request",
        "method-not-allowed",
        "not-found",
        "not-replayable",
        "session-too-large",
        "unauthenticated",
        "unavailable",
        "unknown-dead-letter",
        "unknown-draft",
        "unknown-provider",
        "unknown-session",
        "unknown-task",
        "unknown-workflow",
    ]
