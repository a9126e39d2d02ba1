"""Signing in to the page, and what its forms are guarded by: a gateway with keys, asked as a browser asks it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ekiden.errors import Unreachable
from ekiden.store.database import Database
from ekiden.store.secrets import SecretStore
from ekiden_gateway import counts, event_stream
from ekiden_gateway.app import Server
from ekiden_gateway.keys import Keyring
from ekiden_gateway.views.session import BASE
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import running, settings_for, until_ready

ANN, BOB, READER = "ann-secret-0123456789", "bob-secret-0123456789", "eve-secret-0123456789"
KEYS = f"ann:{ANN},bob:{BOB}:read,write,reader:{READER}:read"
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Browser:
    """Keeps cookies, follows no redirect, and fills in forms with the word its page carries."""

    client: httpx.AsyncClient
    server: Server

    async def token(self, path: str = "/sign-in") -> str:
        found = TOKEN.search((await self.client.get(path)).text)
        assert found is not None
        return found[1]

    async def submit(self, path: str, **fields: Any) -> httpx.Response:
        fields = {"csrf": await self.token(), **fields}
        return await self.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"})

    async def sign_in(self, secret: str, to: str = "/") -> httpx.Response:
        return await self.submit("/sign-in", secret=secret, to=to)


@pytest.fixture(scope="module")
async def gateway(infra: Infra) -> AsyncIterator[tuple[Server, str]]:
    async with running(settings_for(infra, api_keys=KEYS)) as (server, url):
        async with httpx.AsyncClient(base_url=url) as client:
            await until_ready(client)
        yield server, url


@pytest.fixture
async def browser(gateway: tuple[Server, str]) -> AsyncIterator[Browser]:
    server, url = gateway
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield Browser(client, server)


async def test_without_a_key_every_page_asks_for_one_and_then_goes_on(browser: Browser) -> None:
    answer = await browser.client.get("/?status=FAILED")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?to=%2F%3Fstatus%3DFAILED")
    answer = await browser.sign_in(ANN, to="/?status=FAILED")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?status=FAILED")
    assert (await browser.client.get("/")).status_code == 200


async def test_a_wrong_key_is_refused_and_says_so(browser: Browser) -> None:
    answer = await browser.sign_in("not-a-secret-0123456789")
    assert answer.status_code == 401
    assert 'aria-invalid="true"' in answer.text
    assert "not-a-secret" not in answer.text
    assert (await browser.client.get("/")).status_code == 303


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_signing_in_leads_to_no_other_site(browser: Browser, to: str) -> None:
    assert (await browser.sign_in(ANN, to=to)).headers["location"] == "/"


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(browser: Browser) -> None:
    cookie = (await browser.sign_in(ANN)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ANN not in cookie
    forwarded = {"X-Forwarded-Proto": "https"}
    browser.client.cookies.clear()
    answer = await browser.client.get("/sign-in", headers=forwarded)
    assert "Secure" in answer.headers["set-cookie"]


async def test_the_api_takes_no_cookie(browser: Browser) -> None:
    await browser.sign_in(ANN)
    assert (await browser.client.get(f"{BASE}/")).status_code == 401
    assert (await browser.client.post(f"{BASE}/create", json={"theme": "t"})).status_code == 401


async def test_signing_in_begins_another_visit_and_signing_out_ends_it(browser: Browser) -> None:
    before = await browser.token()
    await browser.sign_in(ANN)
    inside = await browser.token("/")
    assert inside != before
    stale = await browser.client.post("/sign-out", data={"csrf": before})
    assert (stale.status_code, "csrf" in stale.text) == (403, True)
    answer = await browser.client.post("/sign-out", data={"csrf": inside})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await browser.client.get("/")).status_code == 303


async def test_whoever_has_a_copy_of_the_cookie_is_out_with_its_owner(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing in anew ends the visit as signing out does; its streams end, too."""
    monkeypatch.setattr(counts, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(event_stream, "ASKED_SECONDS", 0.0)
    base_url = browser.client.base_url
    for leave in ("/sign-out", "/sign-in"):
        await browser.sign_in(ANN)
        async with httpx.AsyncClient(base_url=base_url, cookies=dict(browser.client.cookies), timeout=30) as thief:
            async with thief.stream("GET", "/sessions/counts", headers={"Accept": "text/event-stream"}) as listening:
                lines = listening.aiter_lines()
                assert (await anext(lines)).startswith("retry: ")
                await browser.client.post(leave, data={"csrf": await browser.token("/"), "secret": ANN})
                async with asyncio.timeout(20):
                    assert [line async for line in lines][-1:] == [""]
            assert (await thief.get("/")).headers["location"] == "/sign-in?to=%2F"


async def test_who_cannot_be_signed_out_is_told_so(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(visit: str) -> None:
        raise Unreachable(visit)

    await browser.sign_in(ANN)
    token = await browser.token("/")
    with monkeypatch.context() as patch:
        patch.setattr(browser.server.parts.ended_visits, "add", away)
        assert (await browser.client.post("/sign-out", data={"csrf": token})).status_code == 503
    assert (await browser.client.get("/")).status_code == 200


async def test_a_visit_ends_with_its_key(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    await browser.sign_in(ANN)
    assert (await browser.client.get("/")).status_code == 200
    parts = browser.server.parts
    for keys in (f"bob:{BOB}", f"bob:{BOB},ann:another-secret-0123456789"):
        with monkeypatch.context() as patch:
            patch.setattr(parts.callers, "_keyring", Keyring.read(keys))
            assert (await browser.client.get("/")).status_code == 303
    assert (await browser.client.get("/")).status_code == 200


@pytest.mark.parametrize("cookie", ["nonsense", "e30.x", "a" * 5000, ""])
async def test_a_cookie_that_we_did_not_sign_is_none(browser: Browser, cookie: str) -> None:
    name = f"ekiden_visit_{browser.client.base_url.port}"
    answer = await browser.client.get("/", headers={"Cookie": f"{name}={cookie}"})
    assert answer.status_code == 303


async def test_a_form_without_the_word_of_its_visit_changes_nothing(browser: Browser) -> None:
    await browser.sign_in(ANN)
    for fields in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        answer = await browser.client.post("/preferences", data={"language": "ja", "to": "/", **fields})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    other = await browser.client.post(
        "/preferences",
        data={"language": "ja", "csrf": await browser.token("/")},
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    )
    assert other.status_code == 403
    sent_as_json = await browser.client.post("/preferences", json={"csrf": await browser.token("/")})
    assert sent_as_json.status_code == 422


async def test_a_reader_may_look_and_only_an_administrator_sees_what_concerns_all(browser: Browser) -> None:
    await browser.sign_in(READER)
    shown = (await browser.client.get("/")).text
    assert 'href="/start"' not in shown
    assert 'href="/dead-letters"' not in shown


async def test_language_and_theme_are_kept(browser: Browser) -> None:
    shown = await browser.client.get("/sign-in", headers={"Accept-Language": "ja,en;q=0.5"})
    assert '<html lang="ja" data-theme="auto">' in shown.text
    await browser.submit("/preferences", language="en", to="/sign-in")
    await browser.submit("/preferences", theme="dark", to="/sign-in")
    await browser.submit("/preferences", theme="sepia", language="tlh")
    shown = await browser.client.get("/sign-in", headers={"Accept-Language": "ja"})
    assert '<html lang="en" data-theme="dark">' in shown.text


async def test_files_are_kept_for_ever_under_the_name_of_their_content(browser: Browser) -> None:
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', (await browser.client.get("/sign-in")).text)
    assert len(found) == 4
    for path in found:
        answer = await browser.client.get(path)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    wrong = re.sub(r"/static/[0-9a-f]+/", "/static/0000000000000000/", found[0])
    assert (await browser.client.get(wrong)).status_code == 404


async def test_all_gateways_sign_with_the_same_secret(database: Database) -> None:
    stores = [SecretStore(database) for _ in range(20)]
    assert len(set(await asyncio.gather(*[store.get("one") for store in stores]))) == 1
    assert len(await stores[0].get("one")) == 32
    assert await stores[0].get("one") != await stores[0].get("two")
