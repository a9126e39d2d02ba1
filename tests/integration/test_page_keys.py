"""Keys and webhooks on the page, with no script: secrets are shown once, and nobody sees another's."""

import re
from typing import Any

import httpx
import pytest

from tests.integration.test_page_sessions import fields_of
from tests.integration.test_page_visits import ANN, BOB, Browser, browser, gateway
from tests.unit.page.markup import Markup

__all__ = ["browser", "gateway"]


@pytest.fixture
async def ann(browser: Browser) -> Browser:
    assert (await browser.sign_in(ANN)).status_code == 303
    return browser


async def open_page(who: Browser, path: str) -> Markup:
    answer = await who.client.get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == 200, answer.text[-2000:]
    return Markup.of(answer.text)


async def send(who: Browser, page: Markup, action: str, **filled: Any) -> httpx.Response:
    fields = fields_of(page, action) | {n: v if isinstance(v, list) else [v] for n, v in filled.items()}
    headers = {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin"}
    return await who.client.post(action, data=fields, headers=headers)


async def test_a_key_is_made_with_its_secret_shown_once_limited_and_revoked(ann: Browser) -> None:
    page = await open_page(ann, "/keys")
    wrong = await send(ann, page, "/keys", client="no spaces please", scopes=["read"])
    assert (wrong.status_code, 'id="wrong-client"' in wrong.text) == (422, True)
    made = await send(ann, page, "/keys", client="press", scopes=["read", "write"], rate="30")
    secret = Markup.of(made.text).all("pre", id="secret")[0].text
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    assert re.fullmatch(r"ek_[A-Za-z0-9]{43}", secret)
    again = await send(ann, page, "/keys", client="press", scopes=["read", "write"], rate="30")
    assert (again.status_code, secret in again.text) == (409, False)
    page = await open_page(ann, "/keys")
    assert secret not in page.all("main")[0].text
    limits = next(e.attributes["action"] or "" for e in page.all("form") if "/limits" in (e.attributes["action"] or ""))
    headers = {"X-API-Key": ANN}
    assert (await send(ann, page, limits, rate="7")).status_code == 303
    path = limits.removesuffix("/limits")
    assert (await ann.client.get(f"/api{path}", headers=headers)).json()["ratePerMinute"] == 7
    assert (await send(ann, page, f"{path}/revoke")).status_code == 303
    assert (await ann.client.get(f"/api{path}", headers=headers)).json()["revokedAt"] is not None


async def test_only_an_administrator_sees_keys(browser: Browser) -> None:
    await browser.sign_in(BOB)
    assert 'href="/keys"' not in (await browser.client.get("/")).text
    assert (await browser.client.get("/keys")).status_code == 403
    fields = {"csrf": await browser.token("/"), "client": "mine", "scopes": "admin"}
    assert (await browser.client.post("/keys", data=fields)).status_code == 403


async def test_a_webhook_is_made_tested_edited_rotated_and_deleted(ann: Browser) -> None:
    page = await open_page(ann, "/webhooks")
    wrong = await send(ann, page, "/webhooks", url="http://127.0.0.1/inside")
    assert (wrong.status_code, 'id="wrong-url"' in wrong.text) == (422, True)
    made = await send(ann, page, "/webhooks", url="https://example.com/<hook>", events=["session.failed"])
    first = Markup.of(made.text).all("pre", id="secret")[0].text
    assert first.startswith("whsec_")
    page = await open_page(ann, "/webhooks")
    path = next(h for e in page.all("a") if re.match(r"/webhooks/whk_", h := e.attributes.get("href") or ""))
    page = await open_page(ann, path)
    assert first not in page.all("main")[0].text
    told = await send(ann, page, f"{path}/test")
    delivery = await open_page(ann, told.headers["location"])
    assert "ping" in delivery.all("h1")[0].text
    assert (await send(ann, delivery, f"{told.headers['location']}/replay")).status_code == 303
    rotated = await send(ann, page, f"{path}/rotate")
    assert Markup.of(rotated.text).all("pre", id="secret")[0].text not in {"", first}
    stale = await send(ann, page, f"{path}/edit", enabled="")
    assert stale.status_code == 412
    page = await open_page(ann, path)
    assert (await send(ann, page, f"{path}/edit", enabled="", events=["session.failed"])).status_code == 303
    shown = (await ann.client.get(f"/api{path}", headers={"X-API-Key": ANN})).json()
    assert (shown["enabled"], shown["events"]) == (False, ["session.failed"])
    ann.client.cookies.clear()
    await ann.sign_in(BOB)
    assert (await ann.client.get(path)).status_code == 404
    ann.client.cookies.clear()
    await ann.sign_in(ANN)
    assert (await send(ann, await open_page(ann, path), f"{path}/delete")).headers["location"] == "/webhooks"
