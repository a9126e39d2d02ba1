"""Every address takes its own methods and parameters, and says so to whoever comes with others."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from ekiden_gateway import problems
from ekiden_gateway.addresses import Addresses
from ekiden_gateway.app import ROUTES
from ekiden_gateway.middleware import Head, RequestContext
from ekiden_gateway.views.session import BASE

CREATE = f"{BASE}/create"
SESSION = f"{BASE}/ses_{'0' * 32}"
EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def app_of_addresses() -> FastAPI:
    """Only what stands before the routes: whatever passes it finds nothing."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Addresses, routes=ROUTES)
    app.add_middleware(RequestContext)
    app.add_middleware(Head)

    @app.get("/stream")
    @app.get("/healthz")
    async def alive() -> dict[str, bool]:
        return {"alive": True}

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of_addresses(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as made:
        yield made


def patterns() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for route in ROUTES:
        found.setdefault(route.path, set()).update(route.methods or ())
    return found


@pytest.mark.parametrize(("path", "methods"), list(patterns().items()))
async def test_an_address_takes_its_methods_and_no_other(
    client: httpx.AsyncClient, path: str, methods: set[str]
) -> None:
    for method in EVERY_METHOD:
        answer = await client.request(method, path or "/")
        assert (answer.status_code == 405) == (method not in methods), f"{method} {path}"
        if answer.status_code == 405:
            assert answer.json()["type"] == "/problems/method-not-allowed"
            assert methods <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (CREATE, "OPTIONS, POST"),
        (SESSION, "GET, HEAD, OPTIONS"),
        ("/api/dead-letters", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/dead-letters/replay", "OPTIONS, POST"),
        (f"{SESSION}/recover", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_all_routes_of_an_address_count(client: httpx.AsyncClient, path: str, allow: str) -> None:
    for method in ("OPTIONS", "PUT"):
        assert (await client.request(method, path)).headers["allow"] == allow


async def test_a_literal_address_is_not_taken_for_an_id(client: httpx.AsyncClient) -> None:
    assert (await client.get(CREATE)).status_code == 405
    assert (await client.delete("/api/dead-letters/replay")).status_code == 405


async def test_a_misspelt_filter_is_not_no_filter(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{BASE}/", params={"staus": "FAILED", "limit": 5})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "staus")
    assert "status" in answer.json()["detail"]


async def test_parameters_are_those_of_the_method(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/dead-letters?limit=5")).status_code == 404
    assert (await client.delete("/api/dead-letters?limit=5")).status_code == 422


async def test_who_only_looks_may_bring_parameters_of_his_own(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz?from=probe")).status_code == 200


async def test_head_is_answered_as_get_without_the_body(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/healthz"), await client.get("/healthz")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (await client.head(CREATE)).status_code == 405
