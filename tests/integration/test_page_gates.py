"""Gates on the page: a link that somebody without a key answers once, and a session's own page that passes no other."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.integration.test_gates import after_phase_one as between_phases
from tests.integration.test_gates import before_the_searches as planned
from tests.integration.test_gates import gate_events, link_to, parts_of, site
from tests.integration.test_gateway_http import Site
from tests.integration.test_page_sessions import fields_of
from tests.unit.page.markup import Markup

__all__ = ["site"]


async def page_of(site: Site, session_id: str) -> str:
    return (await link_to(site, session_id)).removeprefix("/api")


async def look(site: Site, path: str, status: int = 200, **headers: str) -> httpx.Response:
    """As somebody without a key and without cookies."""
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as stranger:
        answer = await stranger.get(path, headers={"Accept-Language": "en", **headers})
    assert answer.status_code == status, answer.text[-2000:]
    return answer


async def reply(site: Site, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as stranger:
        return await stranger.post(path, data=fields, headers={"Accept-Language": "en", **headers})


async def test_a_link_shows_the_gate_its_evidence_and_its_price_and_nothing_beyond(site: Site) -> None:
    session_id = await between_phases(site, gateTimeout={"afterSeconds": 7200, "then": "approve"})
    path = await page_of(site, session_id)
    answer = await look(site, path)
    page = Markup.of(answer.text)
    text = page.all("main")[0].text
    assert "Title 1" in text
    assert "https://example.com/run_0" in text
    assert "to the finish" in text.lower()
    assert re.search(r"it goes on by itself in [12] h", text)
    assert session_id not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_to_look_answers_nothing_and_the_first_answer_spends_the_link(site: Site) -> None:
    session_id = await planned(site)
    path = await page_of(site, session_id)
    async with httpx.AsyncClient(base_url=site.url) as preview:
        assert (await preview.head(path)).status_code == 200
    fields = fields_of(Markup.of((await look(site, path)).text), path)
    assert (await site.get(session_id))["status"] == "WAITING"
    fields |= {"decision": ["approve"], "who": ["Aiko <b>"], "item": ["What about tea?", "", "What about 2?", ""]}
    answers = await asyncio.gather(*[reply(site, path, fields) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]
    assert "goes on with your questions" in next(a.text for a in answers if a.status_code == 200)
    session = await site.get(session_id)
    assert session["edited"] == {"1.EXECUTE": [{"question": "What about tea?"}, {"question": "What about 2?"}]}
    assert await gate_events(site, session_id) == [("Continue", {"kind": "link", "name": "Aiko <b>"})]
    spent = await look(site, path, 410)
    assert "The link has done its work" in spent.text
    assert "by <bdi>Aiko &lt;b&gt;</bdi>, over a link" in spent.text


@pytest.mark.parametrize(("decision", "status", "says"), [
    ("rerun", "THINKING", "The leg is run again"),
    ("stop", "CANCELLED", "The session is stopped"),
])  # fmt: skip
async def test_a_link_also_runs_again_or_stops(site: Site, decision: str, status: str, says: str) -> None:
    session_id = await planned(site)
    path = await page_of(site, session_id)
    fields = fields_of(Markup.of((await look(site, path)).text), path)
    answer = await reply(site, path, fields | {"decision": [decision]})
    assert (answer.status_code, says in answer.text) == (200, True)
    assert (await site.get(session_id))["status"] == status


async def test_an_answer_needs_the_word_of_the_page_and_no_other_site_can_send_it(site: Site) -> None:
    session_id = await planned(site)
    path = await page_of(site, session_id)
    other = await page_of(site, await planned(site))
    fields = fields_of(Markup.of((await look(site, path)).text), path) | {"decision": ["approve"]}
    foreign = fields_of(Markup.of((await look(site, other)).text), other) | {"decision": ["approve"]}
    assert (await reply(site, path, {"decision": "approve"})).status_code == 403
    assert (await reply(site, path, foreign)).status_code == 403
    assert (await reply(site, path, fields, Origin="https://evil.example")).status_code == 403
    assert (await reply(site, path, fields | {"decision": ["perhaps"]})).status_code == 422
    assert (await site.get(session_id))["status"] == "WAITING"
    # a page without referrer has no origin, and without TLS no browser says more: the word decides
    assert (await reply(site, path, fields, Origin="null")).status_code == 200


async def test_a_link_that_is_none_or_too_old_says_so_kindly(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no such link" in (await look(site, "/gates/glk_made-up", 404)).text
    path = await page_of(site, await planned(site))
    clock = parts_of(site).database.clock
    later = clock.now().replace(year=clock.now().year + 1)
    with monkeypatch.context() as patch:
        patch.setattr(type(clock), "now", lambda _: later)
        answer = await look(site, path, 410)
    assert "Ask whoever sent the link for a new one" in answer.text


@asynccontextmanager
async def signed_in(site: Site) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=60, headers={"Accept-Language": "en"}) as client:
        fields = fields_of(Markup.of((await client.get("/sign-in")).text), "/sign-in")
        answer = await client.post("/sign-in", data=fields | {"secret": ["ada-secret-0123456789"]})
        assert answer.status_code == 303
        yield client


async def test_a_session_page_makes_a_link_and_its_stale_form_passes_no_other_gate(site: Site) -> None:
    session_id = await between_phases(site)
    path = f"/sessions/{session_id}"
    async with signed_in(site) as client:
        page = Markup.of((await client.get(path)).text)
        made = Markup.of((await client.post(f"{path}/gate-link", data=fields_of(page, f"{path}/gate-link"))).text)
        link = made.all("pre", id="gate-link")[0].text.removeprefix(site.url)
        assert made.all("button", **{"data-copy": "gate-link"})
        fields = fields_of(Markup.of((await look(site, link)).text), link)
        await reply(site, link, fields | {"decision": ["rerun"], "who": ["Ken"]})
        for _ in range(3):
            await site.step(session_id)
        assert (await site.get(session_id))["waitingReason"] == "approval"  # at the same place, for the second time
        stale = await client.post(f"{path}/say/continue", data=fields_of(page, f"{path}/say/continue"))
        assert stale.status_code == 409
        fresh = Markup.of((await client.get(path)).text)
        assert "over a link, by Ken" in fresh.all("section", id="history")[0].text
        passed = await client.post(f"{path}/say/continue", data=fields_of(fresh, f"{path}/say/continue"))
        assert passed.status_code == 303
        history = Markup.of((await client.get(path)).text).all("section", id="history")[0].text
    assert "by the key ada" in history
    assert (await site.get(session_id))["status"] == "THINKING"
