"""A hostile web page reaches nothing through its visitor's browser, and every answer tells a browser what it may do."""

from collections.abc import Collection

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ekiden_gateway import problems
from ekiden_gateway.guard import SECURITY_HEADERS, Guard, SecurityHeaders
from ekiden_gateway.middleware import RequestContext


def client(names: Collection[str] | None, host: str = "localhost:8000") -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Guard, names=lambda: names)
    app.add_middleware(RequestContext)
    app.add_middleware(SecurityHeaders)

    @app.get("/thing")
    @app.get("/readyz")
    @app.post("/thing")
    async def thing(body: dict[str, int] | None = None) -> dict[str, bool]:
        return {"done": True}

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8000",
        "LOCALHOST",
        "app.localhost",
        "127.0.0.1:8000",
        "127.8.9.1",
        "[::1]:8000",
        "10.0.0.7:8000",
        "gateway:8000",
        "ekiden.example",
    ],
)
async def test_an_open_gateway_answers_by_its_names_and_by_addresses_in_numbers(host: str) -> None:
    async with client({"gateway", "ekiden.example"}) as asking:
        assert (await asking.get("/thing", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "ekiden.example.evil.example",
        "gateway.evil",
        "user@evil.example",
        "127.0.0.1@evil.example",
        "[::1",
        "",
    ],
)
async def test_an_open_gateway_does_not_answer_by_a_name_that_somebody_else_may_have_pointed_to_it(host: str) -> None:
    async with client({"gateway", "ekiden.example"}) as asking:
        for method in ("GET", "POST"):
            answer = await asking.request(method, "/thing", headers={"Host": host})
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/foreign-origin")
        assert (await asking.get("/readyz", headers={"Host": host})).status_code == 200


async def test_with_keys_any_name_will_do() -> None:
    async with client(None, "ekiden.example") as asking:
        assert (await asking.post("/thing")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9000"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "no-origin", "old-browser", "other-port", "sandboxed"],
)
@pytest.mark.parametrize("names", [frozenset[str](), None], ids=["open", "keys"])
async def test_what_a_browser_sends_for_another_site_changes_nothing(
    names: Collection[str] | None, headers: dict[str, str]
) -> None:
    async with client(names) as asking:
        assert (await asking.post("/thing", headers=headers)).status_code == 403
        assert (await asking.get("/thing", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://LOCALHOST:8000"},
    ],
    ids=["program", "own", "proxy", "typed", "old-browser"],
)
async def test_a_program_and_a_page_of_our_own_may_write(headers: dict[str, str]) -> None:
    async with client(frozenset()) as asking:
        assert (await asking.post("/thing", headers=headers)).status_code == 200


async def test_a_body_without_its_type_is_not_read_as_json() -> None:
    """A page of another site can send text/plain without asking first; JSON it cannot."""
    async with client(frozenset()) as asking:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            answer = await asking.post("/thing", content=b'{"a": 1}', headers={"Content-Type": kind})
            assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/thing", "/nowhere", "/bug"])
async def test_every_answer_has_the_security_headers(path: str) -> None:
    async with client(frozenset()) as asking:
        for headers in ({}, {"Host": "evil.example"}):
            answer = await asking.get(path, headers=headers)
            assert SECURITY_HEADERS.items() <= dict(answer.headers).items()


async def test_an_answer_keeps_a_security_header_of_its_own() -> None:
    async def embeddable(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(headers={"X-Frame-Options": "SAMEORIGIN"})(scope, receive, send)

    transport = httpx.ASGITransport(SecurityHeaders(embeddable))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
        headers = (await asking.get("/")).headers

    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_policy_lets_nothing_run_or_load_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "*" not in policy
    assert "http" not in policy
