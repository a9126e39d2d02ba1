"""A gate over HTTP, for real: what it shows, who may answer it, and that one answer counts."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from ekiden.domain.ids import SessionId
from ekiden.domain.messages import Cancel
from ekiden.store.database import Database
from ekiden.store.secrets import SecretStore
from ekiden.store.sessions import SessionStore
from ekiden_gateway.gate_links import GateLinks
from ekiden_gateway.parts import Parts
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import QUESTIONS, small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package

AT_ONCE = 8
SEARCHES, AFTER_ONE = "before:1.EXECUTE@1", "after:1@1"


@pytest.fixture(scope="module")
async def site(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway with keys; its client has one that may read and write."""
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    keys = "ada:ada-secret-0123456789,bob:bob-secret-0123456789,eve:eve-secret-0123456789:read"
    settings = settings_for(infra, workflows_dir=folder, api_keys=keys)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    headers, limits = {"X-API-Key": "ada-secret-0123456789"}, httpx.Limits(keepalive_expiry=1)
    async with (
        running(settings) as (server, url),
        httpx.AsyncClient(base_url=url, timeout=60, headers=headers, limits=limits) as client,
    ):
        await until_ready(client)
        yield Site(client, database, url, server)
    await database.close()


@pytest.fixture(scope="module")
async def stranger(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key."""
    async with httpx.AsyncClient(base_url=site.url, timeout=60, limits=httpx.Limits(keepalive_expiry=1)) as client:
        yield client


async def before_the_searches(site: Site, **wishes: Any) -> str:
    session_id = await site.create(start=True, pauseBefore=["1.EXECUTE"], **wishes)
    await site.step(session_id)
    return session_id


async def after_phase_one(site: Site, **wishes: Any) -> str:
    session_id = await site.create(start=True, autoAdvance=False, **wishes)
    for _ in range(3):
        await site.step(session_id)
    return session_id


async def link_to(site: Site, session_id: str, **more: Any) -> str:
    made = await site.post(session_id, "gate-link", more, expect=200)
    return made["apiUrl"].removeprefix(site.url)


async def gate_events(site: Site, session_id: str) -> list[tuple[str, Any]]:
    """What was said to the session by somebody, since its start."""
    events = (await site.get(session_id, "/events"))["events"]
    return [(event["cause"], event["by"]) for event in events[2:] if event["by"]]


def parts_of(site: Site) -> Parts:
    return site.server.parts


# ── what it shows ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gate_before_searches_shows_questions_price_and_what_is_left(site: Site) -> None:
    gate = await site.get(await before_the_searches(site), "/gate")
    assert (gate["id"], gate["position"], gate["items"]) == (SEARCHES, "1.EXECUTE", QUESTIONS)
    assert (gate["forecast"]["calls"], gate["forecast"]["atMostUsd"]) == ({"perplexity": 3}, 0.15)
    assert gate["phase"]["calls"] == {"perplexity": 3, "gpt": 1}
    assert gate["toEnd"]["calls"] == {"perplexity": 3, "gpt": 3}
    assert gate["cost"]["spentUsd"] == 0.001
    assert (gate["budgetShortUsd"], gate["dueAt"], gate["onTimeout"]) == (0, None, None)
    assert (gate["found"]["phase"], gate["found"]["step"]) == (1, "THINK")
    assert [action["action"] for action in gate["actions"]] == ["approve", "edit", "rerun", "stop"]


async def test_a_gate_between_phases_shows_what_was_found_and_its_sources(site: Site) -> None:
    gate = await site.get(await after_phase_one(site), "/gate")
    assert (gate["id"], gate["position"], gate["items"]) == (AFTER_ONE, "2.THINK", [])
    found = gate["found"]
    assert (found["phase"], found["step"], found["title"], found["shortened"]) == (1, "INTEGRATE", "Look", False)
    assert [row["title"] for row in found["result"]["rows"]] == ["Title 1", "Title 2"]
    assert found["sources"] == [{"url": "https://example.com/run_0", "title": "A page", "date": None}]
    assert [action["action"] for action in gate["actions"]] == ["approve", "rerun", "stop"]
    assert gate["phase"]["calls"] == {"gpt": 2}


async def test_async_status_says_which_gate_and_where_it_is_shown(site: Site) -> None:
    session_id = await after_phase_one(site, gateTimeout={"afterSeconds": 3600, "then": "approve"})
    gate = (await site.get(session_id, "/async-status"))["gate"]
    assert (gate["id"], gate["onTimeout"], gate["url"]) == (AFTER_ONE, "approve", f"{BASE}/{session_id}/gate")
    assert gate["dueAt"] > gate["since"]
    assert (await site.get(session_id))["gateTimeout"] == {"afterSeconds": 3600, "then": "approve"}


async def test_before_the_first_step_nothing_was_found_and_nothing_can_be_run_again(site: Site) -> None:
    session_id = await site.create(start=True, pauseBefore=["1.THINK"], budgetUsd=0.01)
    gate = await site.get(session_id, "/gate")
    assert (gate["found"], [action["action"] for action in gate["actions"]]) == (None, ["approve", "stop"])
    assert gate["budgetShortUsd"] == pytest.approx(0.05)
    problem = await site.post(session_id, "gate", {"gate": gate["id"], "decision": "rerun"}, expect=409)
    assert "Nothing has run" in problem["detail"]


async def test_a_session_at_no_gate_has_none_to_show(site: Site) -> None:
    session_id = await site.create(start=True)
    answer = await site.client.get(f"{BASE}/{session_id}/gate")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-gate")
    assert (await site.post(session_id, "gate-link", expect=404))["type"] == "/problems/no-gate"
    assert (await site.get(session_id, "/async-status"))["gate"] is None


@pytest.mark.parametrize(
    ("timeout", "field"),
    [
        ({"afterSeconds": 0, "then": "stop"}, "gateTimeout.afterSeconds"),
        ({"afterSeconds": 60}, "gateTimeout.then"),
        ({"then": "stop"}, "gateTimeout.afterSeconds"),
        ({"afterSeconds": 60, "then": "shrug"}, "gateTimeout.then"),
    ],
    ids=["no time", "nothing then", "no number", "unknown default"],
)
async def test_a_timeout_says_how_long_and_what_then(site: Site, timeout: dict[str, Any], field: str) -> None:
    body = {"workflow": "small", "theme": "t", "gateTimeout": timeout}
    answer = await site.client.post(f"{BASE}/create", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


# ── answers with a key ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("decision", ["approve", "rerun", "stop"])
async def test_every_answer_can_be_given_as_it_is_shown(site: Site, decision: str) -> None:
    session_id = await after_phase_one(site)
    gate = await site.get(session_id, "/gate")
    action = next(action for action in gate["actions"] if action["action"] == decision)
    answer = await site.client.request(action["method"], action["url"], json=action["body"])
    assert answer.status_code == 202, answer.text
    now = {"approve": "THINKING", "rerun": "THINKING", "stop": "CANCELLED"}[decision]
    assert (answer.json()["status"], answer.json()["changed"]) == (now, True)
    assert answer.json()["phase"] == {"approve": 2, "rerun": 1, "stop": 2}[decision]
    assert (await gate_events(site, session_id))[-1][1] == {"kind": "key", "name": "ada"}


async def test_edited_questions_are_what_is_asked(site: Site) -> None:
    session_id = await before_the_searches(site)
    body = {"gate": SEARCHES, "decision": "edit", "input": ["mine", "yours"]}
    foreseen = await site.post(session_id, "gate?dryRun=true", body, expect=200)
    assert foreseen["forecast"]["now"]["calls"] == {"perplexity": 2}
    assert len((await site.post(session_id, "gate", body))["taskIds"]) == 2
    tasks = (await site.get(session_id, "/tasks"))["tasks"]
    assert [task["request"]["user"] for task in tasks if task["stepName"] == "EXECUTE"] == [
        "Search mine",
        "Search yours",
    ]


@pytest.mark.parametrize("body", [{"decision": "edit"}, {"decision": "approve", "input": ["x"]}, {"decision": "maybe"}])
async def test_an_answer_that_contradicts_itself_is_malformed(site: Site, body: dict[str, Any]) -> None:
    session_id = await before_the_searches(site)
    assert (await site.post(session_id, "gate", {"gate": SEARCHES} | body, expect=422))["errors"]
    assert await gate_events(site, session_id) == []


async def test_an_old_caller_still_passes_a_gate_with_nothing(site: Site) -> None:
    session_id = await after_phase_one(site)
    assert (await site.post(session_id, "continue-async", {}))["status"] == "THINKING"


@pytest.mark.parametrize("gate", ["after:1", AFTER_ONE])
async def test_who_comes_second_does_not_pass_the_next_gate(site: Site, gate: str) -> None:
    session_id = await site.create(start=True, autoAdvance=False, pauseBefore=["2.INTEGRATE"])
    for _ in range(3):
        await site.step(session_id)
    assert (await site.post(session_id, "continue-async", {"gate": gate}))["changed"] is True
    assert (await site.post(session_id, "continue-async", {"gate": gate}))["changed"] is False
    await site.step(session_id)
    problem = await site.post(session_id, "continue-async", {"gate": gate}, expect=409)
    assert problem["waitingReason"] == "approval"
    assert "before:2.INTEGRATE@2" in problem["detail"]
    assert (await site.get(session_id, "/gate"))["id"] == "before:2.INTEGRATE@2"


@pytest.mark.parametrize("decision", ["approve", "edit", "rerun", "stop"])
async def test_an_answer_to_another_gate_changes_nothing(site: Site, decision: str) -> None:
    session_id = await before_the_searches(site)
    given = {"input": ["mine"]} if decision == "edit" else {}
    body = {"gate": "before:1.EXECUTE@2", "decision": decision, **given}
    await site.post(session_id, "gate", body, expect=409)
    assert (await site.get(session_id, "/gate"))["id"] == SEARCHES


async def test_an_edit_of_what_has_no_items_is_refused(site: Site) -> None:
    session_id = await after_phase_one(site)
    problem = await site.post(session_id, "gate", {"gate": AFTER_ONE, "decision": "edit", "input": ["x"]}, expect=409)
    assert "no list of items" in problem["detail"]


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_somebody_without_a_key_sees_the_gate_and_answers_it_once(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    shown = (await stranger.get(link)).json()
    assert (shown["id"], shown["sessionId"], shown["input"]) == (SEARCHES, None, {"theme": "t"})
    assert session_id not in json.dumps(shown)
    approve = next(action for action in shown["actions"] if action["action"] == "approve")

    answer = await stranger.post(approve["url"], json={**approve["body"], "who": "Aiko"})

    assert (answer.status_code, answer.json()["status"], answer.json()["who"]) == (200, "EXECUTING", "Aiko")
    assert await gate_events(site, session_id) == [("Continue", {"kind": "link", "name": "Aiko"})]
    for late in (await stranger.get(link), await stranger.post(link, json={"decision": "stop"})):
        assert (late.status_code, late.json()["type"]) == (410, "/problems/link-spent")
        assert "passed by Aiko, over a link, at 20" in late.json()["detail"]
    assert (await site.get(session_id))["status"] == "EXECUTING"


async def test_looking_answers_nothing_however_often(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    before = await site.get(session_id, "/events")
    for method in ("GET", "HEAD", "GET", "OPTIONS"):
        assert (await stranger.request(method, link)).status_code < 300
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await stranger.request(method, link, json={"decision": "approve"})).status_code == 405
    assert await site.get(session_id, "/events") == before


async def test_of_many_answers_at_once_one_counts(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    links = [await link_to(site, session_id) for _ in range(2)]
    wishes: list[dict[str, Any]] = [
        {"decision": "approve"},
        {"decision": "edit", "input": ["mine"]},
        {"decision": "stop"},
        {"decision": "rerun"},
    ]
    people = [
        stranger.post(links[number % 2], json={**wishes[number % len(wishes)], "who": f"number {number}"})
        for number in range(AT_ONCE)
    ]
    keyed = site.client.post(f"{BASE}/{session_id}/gate", json={"gate": SEARCHES, "decision": "approve"})
    answers = await asyncio.gather(*people, keyed)
    moved = [answer for answer in answers if answer.status_code in {200, 202} and answer.json().get("changed", True)]
    assert len(moved) == 1
    assert {answer.status_code for answer in answers if answer not in moved} <= {410, 409, 202}
    assert len(await gate_events(site, session_id)) == 1


async def test_a_double_click_buys_once(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    clicks = await asyncio.gather(*(stranger.post(link, json={"decision": "approve"}) for _ in range(2)))
    assert sorted(click.status_code for click in clicks) == [200, 410]
    tasks = (await site.get(session_id, "/tasks"))["tasks"]
    assert len([task for task in tasks if task["stepName"] == "EXECUTE"]) == len(QUESTIONS)


async def test_a_link_ends_when_somebody_with_a_key_answers_and_does_not_say_which(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    await site.post(session_id, "gate", {"gate": SEARCHES, "decision": "approve"})
    late = await stranger.post(link, json={"decision": "stop"})
    assert (late.status_code, (await site.get(session_id))["status"]) == (410, "EXECUTING")
    assert "passed with a key at" in late.json()["detail"]
    assert "ada" not in late.text


async def test_a_link_to_a_phase_that_was_run_again_is_spent_at_the_same_gate(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    assert (await stranger.post(link, json={"decision": "rerun"})).status_code == 200
    await site.step(session_id)
    assert (await site.get(session_id, "/gate"))["id"] == "before:1.EXECUTE@2"
    late = await stranger.post(link, json={"decision": "approve"})
    assert late.status_code == 410
    assert "The phase was run again over a link at" in late.json()["detail"]
    assert (await site.get(session_id))["waitingReason"] == "approval"


async def test_a_late_bill_does_not_end_a_link(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    more = {"$inc": {"billed": 7}, "$currentDate": {"bookedAt": True}}
    await site.database.journaled("tasks").update_one({"_id": f"{session_id}.1T.g1.0"}, more)
    await parts_of(site).relay.look(SessionId(session_id), late_bills=True)
    assert (await site.get(session_id))["cost"]["spentUsd"] == 0.001007
    assert (await stranger.post(link, json={"decision": "approve"})).status_code == 200


async def test_a_link_to_a_session_that_is_gone_is_spent(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    await site.database.journaled("sessions").delete_one({"_id": session_id})
    assert (await stranger.get(link)).status_code == 410


async def test_a_link_of_a_database_that_was_set_back_does_not_fit_what_came_since(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    """The same gate, the same number, another moment: what is found there is not what the link was sent for."""
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    later = [{"$set": {"gate.since": {"$add": ["$gate.since", 1]}}}]
    await site.database.journaled("sessions").update_one({"_id": session_id}, later)
    assert (await stranger.post(link, json={"decision": "approve"})).status_code == 410


async def test_a_link_holds_no_longer_than_it_was_made_for(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    session = await SessionStore(site.database).load(SessionId(session_id))
    assert session is not None
    links, now = GateLinks(SecretStore(site.database)), parts_of(site).database.clock.now()
    old, good = (
        await links.sign(session, now - timedelta(seconds=1)),
        await links.sign(session, now + timedelta(hours=1)),
    )
    late = await stranger.post(f"/api/gates/{old}", json={"decision": "approve"})
    assert (late.status_code, late.json()["type"]) == (410, "/problems/link-expired")
    assert (await stranger.get(f"/api/gates/{good}")).status_code == 200, "all gateways sign with the same key"


async def test_a_link_ends_with_its_gate(site: Site) -> None:
    session_id = await before_the_searches(site, gateTimeout={"afterSeconds": 3600, "then": "stop"})
    made = await site.post(session_id, "gate-link", {"expiresInSeconds": 86_400}, expect=200)
    assert made["expiresAt"] == (await site.get(session_id, "/gate"))["dueAt"]
    assert made["url"].startswith(f"{site.url}/gates/glk_")


async def test_a_forged_link_finds_nothing(site: Site, stranger: httpx.AsyncClient) -> None:
    link = await link_to(site, await before_the_searches(site))
    body, _, signature = link.rpartition(".")
    middle = len(body) // 2
    other = "A" if body[middle] != "A" else "B"
    forged = [body, f"{body}.{signature[::-1]}", f"{body[:middle]}{other}{body[middle + 1 :]}.{signature}", f"{link}x"]
    for address in [*forged, "/api/gates/x", "/api/gates/glk_", "/api/gates/glk_ü"]:
        for answer in (await stranger.get(address), await stranger.post(address, json={"decision": "approve"})):
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-link"), address


async def test_a_link_is_signed_with_a_key_of_its_own_database(
    site: Site, infra: Infra, stranger: httpx.AsyncClient
) -> None:
    session_id = await before_the_searches(site)
    session = await SessionStore(site.database).load(SessionId(session_id))
    assert session is not None
    elsewhere = Database(infra.mongodb_url, f"{site.database.journaled('x').database.name}_other")
    token = await GateLinks(SecretStore(elsewhere)).sign(
        session, parts_of(site).database.clock.now() + timedelta(hours=1)
    )
    await elsewhere.close()
    assert (await stranger.get(f"/api/gates/{token}")).status_code == 404


async def test_two_gateways_that_need_a_key_at_once_have_the_same(infra: Infra, site: Site) -> None:
    name = f"{site.database.journaled('x').database.name}_new"
    databases = [Database(infra.mongodb_url, name) for _ in range(6)]
    keys = await asyncio.gather(*(SecretStore(database).get("gate-links") for database in databases))
    for database in databases:
        await database.close()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


async def test_only_who_may_write_makes_a_link_and_only_to_his_own_session(site: Site) -> None:
    session_id = await before_the_searches(site)
    for key, status in (("eve-secret-0123456789", 403), ("bob-secret-0123456789", 404)):
        answer = await site.client.post(f"{BASE}/{session_id}/gate-link", headers={"X-API-Key": key})
        assert answer.status_code == status
    wrong = await site.post(session_id, "gate-link", {"gate": AFTER_ONE}, expect=409)
    assert SEARCHES in wrong["detail"]


async def test_a_link_is_kept_nowhere(site: Site, stranger: httpx.AsyncClient) -> None:
    """Neither by caches, nor in the address that the next site is told, nor in a problem or a line of the log."""
    session_id = await before_the_searches(site)
    made = await site.client.post(f"{BASE}/{session_id}/gate-link")
    link = made.json()["apiUrl"].removeprefix(site.url)
    token = link.rpartition("/")[2]
    assert made.headers["cache-control"] == "no-store"
    with capture_logs() as lines:
        answers = [await stranger.get(link), await stranger.post(link, json={"decision": "shrug"})]
        answers.append(await stranger.post(link, json={"decision": "approve"}))
        answers += [await stranger.post(link, json={"decision": "approve"}), await stranger.get(f"{link}/more")]
    assert [answer.status_code for answer in answers] == [200, 422, 200, 410, 404]
    for answer in answers:
        assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert all(token not in answer.text for answer in answers[1:])
    assert token not in json.dumps(lines, default=str)
    stored = await site.database.journaled("sessions").find_one({"_id": session_id})
    assert token not in json.dumps(stored, default=str)


@pytest.mark.parametrize("who", ["x" * 81, "a\nb", "\u202eevil", "\x00"], ids=["long", "line", "bidi", "nul"])
async def test_an_odd_name_is_refused_before_anything_happens(
    site: Site, stranger: httpx.AsyncClient, who: str
) -> None:
    session_id = await before_the_searches(site)
    answer = await stranger.post(await link_to(site, session_id), json={"decision": "approve", "who": who})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "who")
    assert await gate_events(site, session_id) == []


async def test_what_ended_a_gate_by_itself_is_told(site: Site, stranger: httpx.AsyncClient) -> None:
    session_id = await before_the_searches(site)
    link = await link_to(site, session_id)
    await parts_of(site).relay.say(SessionId(session_id), lambda _: Cancel(parts_of(site).database.clock.now()))
    assert "The session was cancelled at 20" in (await stranger.get(link)).json()["detail"]
