"""What holds for requests of any kind: done once under a key, conditional, refused where they are misunderstood."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ekiden.store.database import Database
from ekiden_gateway.kinds import KINDS
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import UNKNOWN, Site, running, settings_for, until_ready, write_package
from tests.site import until


@pytest.fixture(scope="module")
async def sites(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Site]]:
    """Two gateways of one database."""
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (one, its_url), running(settings) as (other, others_url):
        limits = httpx.Limits(keepalive_expiry=1)
        async with (
            httpx.AsyncClient(base_url=its_url, timeout=60, limits=limits) as to_one,
            httpx.AsyncClient(base_url=others_url, timeout=60, limits=limits) as to_other,
        ):
            await until_ready(to_one)
            await until_ready(to_other)
            yield [Site(to_one, database, its_url, one), Site(to_other, database, others_url, other)]
    await database.close()


@pytest.fixture
def site(sites: list[Site]) -> Site:
    return sites[0]


async def versions(site: Site, session_id: str) -> list[tuple[int, str]]:
    return [(event["id"], event["cause"]) for event in (await site.get(session_id, "/events"))["events"]]


# ── one key, one request ─────────────────────────────────────────────────────────────────────────────────


async def test_fifty_at_once_at_two_gateways_create_one_session(sites: list[Site]) -> None:
    headers, mark = {"Idempotency-Key": uuid4().hex}, uuid4().hex
    body = {"workflow": "small", "theme": "t", "start": True, "metadata": {"mark": mark}}
    posts = (sites[n % 2].client.post(f"{BASE}/create", json=body, headers=headers) for n in range(50))
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    found = await sites[0].client.get(f"{BASE}/", params={"metadata": f"mark:{mark}"})
    assert len(found.json()["items"]) == 1
    session_id = answers[0].json()["sessionId"]
    assert await versions(sites[0], session_id) == [(0, "Create"), (1, "Start")]


async def test_the_answer_is_that_of_the_first_whatever_has_become_of_the_session(site: Site) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"workflow": "small", "theme": "t", "budgetUsd": 0.5, "start": True}
    first = await site.client.post(f"{BASE}/create", json=body, headers=headers)
    session_id = first.json()["sessionId"]
    await site.post(session_id, "continue-async", {"budgetUsd": 2})
    await site.post(session_id, "cancel")
    again = await site.client.post(f"{BASE}/create", json=body, headers=headers)
    assert (again.status_code, again.text) == (201, first.text)
    assert again.headers["location"] == first.headers["location"]


async def test_a_field_that_says_what_is_so_anyway_makes_no_other_request(site: Site) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"workflow": "small", "theme": "t"}
    first = await site.client.post(f"{BASE}/create", json=body, headers=headers)
    again = await site.client.post(f"{BASE}/create", json=body | {"start": False}, headers=headers)
    assert again.text == first.text


async def test_another_body_or_another_command_under_the_key_is_refused(site: Site) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    created = await site.client.post(f"{BASE}/create", json={"workflow": "small", "theme": "t"}, headers=headers)
    url = f"{BASE}/{created.json()['sessionId']}/recover"
    for path, body in ((f"{BASE}/create", {"workflow": "small", "theme": "u"}), (url, {"action": "restart_session"})):
        answer = await site.client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(site: Site, key: str) -> None:
    answer = await site.client.post(f"{BASE}/create", json={"theme": "t"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].lower() == "idempotency-key"


# ── conditional ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_is_sent_again_only_when_it_has_moved(site: Site) -> None:
    session_id = await site.create()
    url = f"{BASE}/{session_id}"
    first = await site.client.get(url)
    seen = {"If-None-Match": first.headers["etag"]}
    again = await site.client.get(url, headers=seen)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await site.post(session_id, "process-async")
    moved = await site.client.get(url, headers=seen)
    assert (moved.status_code, moved.json()["status"]) == (200, "THINKING")
    assert moved.headers["etag"] != first.headers["etag"]


async def test_a_draft_is_not_overwritten_by_who_has_not_seen_it(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.finish(session_id)
    url = f"{BASE}/{session_id}/drafts/1"
    shown = await site.client.get(url)
    assert (shown.json()["revision"], shown.json()["title"]) == (0, "Title 1")
    mine = {"If-Match": shown.headers["etag"]}
    changed = await site.client.patch(url, json={"editedContent": "first"}, headers=mine)
    assert (changed.status_code, changed.json()["revision"], changed.json()["status"]) == (200, 1, "EDITED")
    refused = await site.client.patch(url, json={"editedContent": "second"}, headers=mine)
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/changed-meanwhile")
    kept = await site.client.get(url, headers={"If-None-Match": changed.headers["etag"]})
    assert kept.status_code == 304
    again = await site.client.patch(url, json={"editedContent": "first"})
    assert (again.json()["revision"], again.headers["etag"]) == (1, changed.headers["etag"])
    assert (await site.client.get(f"{BASE}/{session_id}/drafts/9")).json()["type"] == "/problems/unknown-draft"


async def test_of_many_who_saw_the_same_draft_one_changes_it(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.finish(session_id)
    url = f"{BASE}/{session_id}/drafts/2"
    seen = {"If-Match": (await site.client.get(url)).headers["etag"]}
    patches = (site.client.patch(url, json={"editedContent": f"by {n}"}, headers=seen) for n in range(10))
    answers = await asyncio.gather(*patches)
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 9]


async def test_who_says_nothing_of_what_he_saw_changes_his_own_field_only(site: Site) -> None:
    session_id = await site.create(start=True)
    await site.finish(session_id)
    url = f"{BASE}/{session_id}/drafts/1"
    bodies: list[dict[str, Any]] = [{"editedContent": "text"}, {"status": "POSTED"}]
    await asyncio.gather(*(site.client.patch(url, json=body) for body in bodies))
    draft = (await site.client.get(url)).json()
    assert (draft["editedContent"], draft["revision"]) == ("text", 2)


# ── misunderstandings ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["process-async", "pause", "resume", "cancel"])
async def test_a_word_with_a_body_it_does_not_have_is_not_carried_out(site: Site, word: str) -> None:
    """`{"dryRun": true}` in the body of a cancel is a question for the address, and must not cancel."""
    session_id = await site.create(start=True)
    problem = await site.post(session_id, word, {"dryRun": True}, expect=422)
    assert problem["errors"][0]["field"] == "dryRun"
    assert await versions(site, session_id) == [(0, "Create"), (1, "Start")]
    await site.post(session_id, word, {})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"theme": "t", "start": "true"}, "start"),
        ({"theme": "t", "budgetUsd": "1"}, "budgetUsd"),
        ({"theme": "t", "budgetUsd": True}, "budgetUsd"),
        ({"theme": "t", "pauseAfterPhases": ["1"]}, "pauseAfterPhases.0"),
        ({"theme": "t", "budget_usd": 1}, "budget_usd"),
        ({"theme": "t", "webhookUrl": "ftp://example.com"}, "webhookUrl"),
        ({"theme": "t", "metadata": {"a": 1}}, "metadata.a"),
    ],
)
async def test_nothing_is_taken_for_what_it_is_not(site: Site, body: dict[str, Any], field: str) -> None:
    answer = await site.client.post(f"{BASE}/create", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_whole_number_may_be_written_with_a_point(site: Site) -> None:
    session_id = await site.create(pauseAfterPhases=[1.0])
    assert (await site.get(session_id))["pauseAfterPhases"] == [1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("status=BUSY", "status.0"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdBefore=5", "createdBefore"),
        ("metadata=a.b:c", "metadata.0"),
        ("stauts=FAILED", "stauts"),
    ],
)
async def test_a_wrong_filter_is_named(site: Site, query: str, field: str) -> None:
    answer = await site.client.get(f"{BASE}/?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_filters_hold_together(site: Site) -> None:
    mark = uuid4().hex
    first = await site.create(metadata={"mark": mark, "n": "1"})
    second = await site.create(metadata={"mark": mark, "n": "2"}, start=True)
    born = (await site.get(second))["createdAt"]

    async def found(**query: Any) -> list[str]:
        query.setdefault("metadata", [f"mark:{mark}"])
        page = (await site.client.get(f"{BASE}/", params=query)).json()
        return [item["sessionId"] for item in page["items"]]

    assert await found() == [second, first]
    assert await found(metadata=[f"mark:{mark}", "n:1"]) == [first]
    assert await found(metadata=["n:1", "n:2", f"mark:{mark}"]) == []
    assert await found(workflow="small", status=["THINKING"]) == [second]
    assert await found(workflow="sma") == []
    assert await found(workflow=(await site.get(first))["workflow"]) == [second, first]
    assert second in await found(createdAfter=born)
    assert second not in await found(createdBefore=born)
    assert await found(createdBefore="0001-01-01T00:00:00+14:00") == []
    assert await found(createdAfter="9999-12-31T23:59:59-14:00") == []


async def test_an_event_id_beyond_all_numbers_is_malformed(site: Site) -> None:
    session_id = await site.create()
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "9" * 19}
    answer = await site.client.get(f"{BASE}/{session_id}/events", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "last-event-id")


async def test_a_slash_too_many_is_a_wrong_address(site: Site) -> None:
    answer = await site.client.get("/api/workflows/")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


# ── pages of its own ─────────────────────────────────────────────────────────────────────────────────────


async def test_every_kind_of_problem_is_explained_at_its_type(site: Site) -> None:
    listed = (await site.client.get("/problems")).json()["items"]
    assert [page["type"] for page in listed] == [kind.type for kind in KINDS.values()]
    for page in listed:
        assert (await site.client.get(page["type"])).json() == page
    assert (await site.client.get("/problems/none")).json()["type"] == "/problems/not-found"


async def test_an_open_gateway_asks_nobody_who_he_is_and_says_so(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    assert "securitySchemes" not in document["components"]
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert not any({"401", "403"} & set(operation["responses"]) or "security" in operation for operation in operations)
    assert "CreateSmall" in document["components"]["schemas"], "a workflow of one's own is described, too"


async def test_head_sends_no_body_over_the_wire(site: Site) -> None:
    url = httpx.URL(site.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(b"HEAD /problems HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(20):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 0" not in head
    assert body == b""


async def test_head_of_a_stream_ends(site: Site) -> None:
    session_id = await site.create()
    async with asyncio.timeout(20):
        answer = await site.client.head(f"{BASE}/{session_id}/events", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await site.client.head(f"{BASE}/{UNKNOWN}")).status_code == 404


# ── what a request costs ─────────────────────────────────────────────────────────────────────────────────


async def asked_of_the_database(site: Site) -> Counter[str]:
    """How often, by command."""
    metrics = (await site.client.get("/metrics")).text
    of = r'ekiden_mongodb_command_duration_seconds_count\{command="(find|insert|update|aggregate)"\} (\S+)'
    return Counter({command: int(float(count)) for command, count in re.findall(of, metrics)})


async def test_a_status_costs_two_questions_at_most_and_less_when_many_ask_at_the_same_time(site: Site) -> None:
    session_id = await site.create(start=True)
    await until_noted(site, session_id)
    await site.get(session_id, "/async-status")  # what is kept for a while is known now
    before = await asked_of_the_database(site)
    await asyncio.gather(*(site.get(session_id, "/async-status") for _ in range(20)))
    cost = await asked_of_the_database(site) - before
    assert cost["find"] >= 2
    assert cost.total() < 60, "the session and its ledger; and now and then what is around all of them"
    assert cost.keys() <= {"find", "aggregate"}, "it reads only"


async def test_a_new_session_is_not_read_again_to_be_answered(site: Site) -> None:
    await site.create(start=True)

    assert await least_asked(site, start=False) == Counter(insert=1)
    assert await least_asked(site, start=True) == Counter(insert=1, update=1), "it and its start, its task"


async def until_noted(site: Site, session_id: str) -> None:
    """Wait for what the gateway writes a little later: that the first command was sent."""

    async def noted() -> bool:
        told = {"sessionId": session_id, "announced": 1}
        return await site.database.journaled("tasks").find_one(told) is not None

    await until(noted, "noted that the first command was sent")


async def least_asked(site: Site, *, start: bool) -> Counter[str]:
    """What creating a session asks; what the gateway asks for itself meanwhile, now and then, is in some tries only."""
    tries: list[Counter[str]] = []
    for _ in range(5):
        before = await asked_of_the_database(site)
        await site.create(start=start)
        tries.append(await asked_of_the_database(site) - before)
    return min(tries, key=Counter.total)
