"""A session from its first form to its drafts, with no script: forms and redirects against a running gateway."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ekiden.messages.dead_letter import DeadLetter
from ekiden.store.database import Database
from ekiden_gateway.views.session import BASE
from tests.fakes.workflow import small_package
from tests.integration.conftest import Infra
from tests.integration.test_gateway_http import Site, running, settings_for, until_ready, write_package
from tests.unit.page.markup import Element, Markup

Fields = dict[str, list[str]]


@dataclass
class Reader:
    """Somebody with a browser without scripts, and the hands of the absent workers."""

    site: Site

    async def open(self, path: str) -> Markup:
        answer = await self.site.client.get(path)
        assert answer.status_code == 200, answer.text[-2000:]
        return Markup.of(answer.text)

    async def send(self, page: Markup, action: str, **filled: Any) -> httpx.Response:
        """Fill in a form of a page and send it, as it was shown except for what is filled in."""
        fields = fields_of(page, action) | {
            name: text if isinstance(text, list) else [text] for name, text in filled.items()
        }
        return await self.site.client.post(action, data=fields, headers={"Sec-Fetch-Site": "same-origin"})

    async def start(self, **filled: Any) -> str:
        """The path of a new session's page."""
        page = await self.open("/start?workflow=small")
        answer = await self.send(page, "/start", **({"input-theme": "tea"} | filled))
        assert answer.status_code == 303, answer.text[-2000:]
        return answer.headers["location"]

    async def say(self, path: str, word: str, **filled: Any) -> httpx.Response:
        return await self.send(await self.open(path), f"{path}/say/{word}", **filled)

    async def status(self, path: str) -> Any:
        return await self.site.get(path.rpartition("/")[2], "/async-status")


def fields_of(page: Markup, action: str) -> Fields:
    """What a browser would send of a form, before anything is changed in it."""
    place = next(n for n, e in enumerate(page.elements) if e.tag == "form" and e.attributes.get("action") == action)
    following = page.elements[place + 1 :]
    end = next((n for n, e in enumerate(following) if e.tag == "form"), len(following))
    fields: Fields = {}
    for element in following[:end]:
        name = element.attributes.get("name")
        if name and (value := _sent(element, following)) is not None:
            fields.setdefault(name, []).append(value)
    return fields


def _sent(element: Element, following: list[Element]) -> str | None:
    if element.tag == "textarea":
        return element.text.removeprefix("\n")
    if element.tag == "select":
        after = following[following.index(element) + 1 :]
        options = [e for e in after if e.tag == "option"]
        return next((e for e in options if "selected" in e.attributes), options[0]).attributes.get("value")
    if element.tag != "input" or (
        element.attributes.get("type") in {"checkbox", "radio"} and "checked" not in element.attributes
    ):
        return None
    return element.attributes.get("value") or ""


@pytest.fixture(scope="module")
async def reader(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reader]:
    folder = tmp_path_factory.mktemp("workflows")
    write_package(folder / "small", small_package())
    settings = settings_for(infra, workflows_dir=folder)
    database = Database(settings.mongodb_url, settings.mongodb_database)
    async with running(settings) as (server, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_ready(client)
        yield Reader(Site(client, database, url, server))
    await database.close()


async def test_a_form_starts_a_session_and_the_workers_carry_it_to_its_drafts(reader: Reader) -> None:
    path = await reader.start()
    assert (await reader.status(path))["session"]["status"] == "THINKING"
    await reader.site.finish(path.rpartition("/")[2])
    page = await reader.open(path)
    assert [e.text for e in page.all("article")]
    assert "2 drafts are ready" in page.all("h2", id="now-says")[0].text
    for name in ("report", "report.md", "drafts.md", "drafts.csv", "drafts-excel.csv"):
        assert page.all("a", href=f"{path}/{name}")
        assert "Title 1" in (await reader.site.client.get(f"{path}/{name}")).text


async def test_the_same_form_sent_again_starts_nothing_new(reader: Reader) -> None:
    page = await reader.open("/start?workflow=small")
    answers = [await reader.send(page, "/start", **{"input-theme": "twice"}) for _ in range(3)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    other = await reader.send(page, "/start", **{"input-theme": "something else"})
    assert other.status_code == 422
    assert "This form was sent before" in other.text


async def test_a_form_with_a_mistake_says_so_beside_its_field_and_keeps_the_rest(reader: Reader) -> None:
    page = await reader.open("/start")
    answer = await reader.send(page, "/start", **{"input-theme": " ", "input-style": "education", "budget": "many"})
    shown = Markup.of(answer.text)
    assert answer.status_code == 422
    assert shown.all("span", id="wrong-budget")
    answer = await reader.send(page, "/start", **{"input-theme": " ", "input-style": "education", "budget": "0.5"})
    shown = Markup.of(answer.text)
    assert shown.all("span", id="wrong-theme")
    assert next(e.attributes["value"] for e in shown.all("option") if "selected" in e.attributes) == "education"
    assert shown.all("input", id="budget")[0].attributes["value"] == "0.5"


async def test_a_gate_is_passed_with_edited_questions(reader: Reader) -> None:
    path = await reader.start(pause_before="1.EXECUTE")
    await reader.site.step(path.rpartition("/")[2])
    page = await reader.open(path)
    assert "3 searches are bought for at most $0.15" in page.all("h2", id="now-says")[0].text
    items = ["What about tea?", "", "What about 2?"]
    answer = await reader.send(page, f"{path}/say/continue", item=items)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    session = await reader.site.get(path.rpartition("/")[2])
    assert session["edited"] == {"1.EXECUTE": [{"question": "What about tea?"}, {"question": "What about 2?"}]}
    assert len((await reader.status(path))["asyncTasks"]["current"]) == 2


async def test_a_gate_passed_as_it_is_edits_nothing(reader: Reader) -> None:
    path = await reader.start(pause_before="1.EXECUTE")
    await reader.site.step(path.rpartition("/")[2])
    await reader.say(path, "continue")
    session = await reader.site.get(path.rpartition("/")[2])
    assert (session["edited"], session["status"]) == ({}, "EXECUTING")


async def test_a_command_that_came_too_late_is_explained(reader: Reader) -> None:
    path = await reader.start(pause_before="1.EXECUTE")
    await reader.site.step(path.rpartition("/")[2])
    page = await reader.open(path)
    await reader.send(page, f"{path}/say/cancel")
    answer = await reader.send(page, f"{path}/say/continue")
    assert answer.status_code == 409
    assert "The session has moved on" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_failed_session_is_tried_again_and_a_restart_leads_to_the_new_one(reader: Reader) -> None:
    path = await reader.start()
    session_id = path.rpartition("/")[2]
    task = (await reader.status(path))["asyncTasks"]["current"][0]["id"]
    await reader.site.fail(task)
    await reader.site.post(session_id, "continue-async", {"taskId": task})
    assert "failed, and needs you" in (await reader.open(path)).all("h2", id="now-says")[0].text
    page = await reader.open(path)
    restarted = await reader.send(page, f"{path}/say/restart_session")
    again = await reader.send(page, f"{path}/say/restart_session")
    assert restarted.headers["location"] == again.headers["location"] != path
    assert (await reader.say(path, "retry")).headers["location"] == path
    assert (await reader.status(path))["session"]["status"] == "THINKING"


async def test_an_unknown_outcome_is_resolved_on_the_page(reader: Reader) -> None:
    path = await reader.start()
    session_id = path.rpartition("/")[2]
    await reader.site.step(session_id)
    tasks = [task["id"] for task in (await reader.status(path))["asyncTasks"]["current"]]
    await reader.site.fail(tasks[0], unknown=True)
    for task in tasks[1:]:
        await reader.site.answer(task)
    await reader.site.post(session_id, "continue-async", {"taskId": tasks[0]})
    page = await reader.open(path)
    assert "nobody can say whether 1 call was bought" in page.all("h2", id="now-says")[0].text
    assert fields_of(page, f"{path}/say/resolve")["task"] == [tasks[0]]
    wrong = await reader.send(page, f"{path}/say/resolve")
    assert wrong.status_code == 422
    assert (await reader.send(page, f"{path}/say/resolve", decision="give_up")).status_code == 303
    assert (await reader.status(path))["session"]["status"] == "INTEGRATING"


async def test_a_draft_is_edited_and_nobody_elses_change_is_overwritten(reader: Reader) -> None:
    path = await reader.start()
    session_id = path.rpartition("/")[2]
    await reader.site.finish(session_id)
    page, action = await reader.open(path), f"{path}/drafts/1"
    unchanged = await reader.send(page, action)
    assert unchanged.status_code == 303
    assert (await reader.site.get(session_id, "/drafts"))["drafts"][0]["status"] == "DRAFT"
    answer = await reader.send(page, action, content="line one\r\nline two ")
    assert answer.headers["location"] == f"{path}#draft-1"
    draft = (await reader.site.get(session_id, "/drafts"))["drafts"][0]
    assert (draft["editedContent"], draft["status"]) == ("line one\nline two ", "EDITED")
    stale = await reader.send(page, action, content="mine")
    assert stale.status_code == 412
    assert "Somebody else has changed it" in stale.text
    await reader.send(await reader.open(path), action, original="1")
    assert (await reader.site.get(session_id, "/drafts"))["drafts"][0]["editedContent"] is None


async def test_the_list_filters_counts_and_goes_on(reader: Reader) -> None:
    for number in range(3):
        await reader.site.create(theme=f"counted {number}", metadata={"batch": "mine"})
    page = await reader.open("/?metadata=batch:mine")
    rows = [e.text for e in page.all("a", **{"class": "title"})]
    assert rows == ["counted 2", "counted 1", "counted 0"]
    assert "3" in page.all("a", id="count-PENDING")[0].text
    assert not page.all("a", id="count-COMPLETED")
    assert not (await reader.open("/?metadata=batch:mine&status=FAILED")).all("a", **{"class": "title"})
    for wrong in ("status=NEVER", "since=yesterday", "cursor=made-up", "metadata=nonsense"):
        answer = await reader.site.client.get(f"/?{wrong}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")


async def test_the_page_of_a_call_shows_what_was_asked_and_answered(reader: Reader) -> None:
    path = await reader.start()
    await reader.site.step(path.rpartition("/")[2])
    page = await reader.open(path)
    link = next(e.attributes["href"] for e in page.all("a") if "/tasks/" in (e.attributes.get("href") or ""))
    text = (await reader.open(link or "")).all("main")[0].text
    assert "What about 0?" in text
    assert "Plan" in text


async def test_the_page_listens_to_the_stream_of_the_api(reader: Reader) -> None:
    path = await reader.start()
    headers = {"Accept": "text/event-stream"}
    async with reader.site.client.stream("GET", f"{path}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        ids: list[str] = []
        async for line in stream.aiter_lines():
            ids += [line] if line.startswith("id:") else []
            if len(ids) == 2:
                break
    assert ids == ["id: 0", "id: 1"]


async def test_the_list_listens_to_the_counts_of_the_api(reader: Reader) -> None:
    headers, told = {"Accept": "text/event-stream"}, list[dict[str, int]]()
    async with reader.site.client.stream("GET", "/sessions/counts", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                told.append(json.loads(line.removeprefix("data: ")))
                if len(told) == 2:
                    break
                await reader.site.create(theme="counted live")
    assert told[1]["pending"] == told[0]["pending"] + 1


async def test_a_session_that_is_over_ends_its_stream_for_good(reader: Reader) -> None:
    path = await reader.start()
    await reader.say(path, "cancel")
    headers = {"Accept": "text/event-stream"}
    answer = await reader.site.client.get(f"{path}/events", headers=headers)
    assert answer.text.rstrip().endswith("event: end\ndata: {}")
    last = (await reader.site.get(path.rpartition("/")[2], "/events"))["events"][-1]["id"]
    assert (await reader.site.client.get(f"{path}/events?after={last}", headers=headers)).status_code == 204


@pytest.mark.parametrize("path", ["/sessions/ses_" + "0" * 32, "/sessions/nonsense", "/dead-letters/dl_" + "0" * 32])
async def test_what_is_not_there_is_said_on_a_page(reader: Reader, path: str) -> None:
    answer = await reader.site.client.get(path, headers={"Accept-Language": "ja"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "ありません" in answer.text


async def test_an_address_that_is_nowhere_is_a_page_for_browsers_and_a_problem_for_programs(reader: Reader) -> None:
    client, browser = reader.site.client, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/nowhere", "/schedules/", "/static/0/ekiden.css"):
        shown = await client.get(path, headers=browser)
        assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is nothing here" in shown.text
        told = await client.get(path)
        assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    wrong = await client.get("/sign-out", headers=browser)
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "text/html; charset=utf-8")
    api = await client.get("/api/nowhere", headers=browser)
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_breaker_is_opened_and_closed(reader: Reader) -> None:
    page = await reader.open("/providers")
    await reader.send(page, "/providers/gpt/open", reason="the <invoice>")
    page = await reader.open("/providers")
    assert "Calls are held back" in page.all("section", **{"aria-labelledby": "provider-gpt"})[0].text
    assert "the <invoice>" in page.all("main")[0].text
    await reader.send(page, "/providers/gpt/close")
    assert "Calls are held back" not in (await reader.open("/providers")).all("main")[0].text


async def test_a_dead_letter_is_read_and_dropped(reader: Reader) -> None:
    letter = DeadLetter(
        queue="ekiden.tasks.gpt", exchange="ekiden.commands", routing_key="gpt", reason="undecodable",
        error="no <JSON>", body=b"{broken", size=7, deaths=1, died_at=None, message_id="m", type="GenerateText",
        content_type="application/json", headers={},
    )  # fmt: skip
    await reader.site.server.parts.letters.keep(letter)
    page = await reader.open("/dead-letters")
    link = next(e.attributes["href"] or "" for e in page.all("a", **{"class": "title"}))
    assert "{broken" in (await reader.open(link)).all("pre")[0].text
    assert (await reader.send(await reader.open(link), f"{link}/drop")).headers["location"] == "/dead-letters"
    assert not (await reader.open("/dead-letters")).all("a", **{"class": "title"})


async def test_the_api_refuses_what_a_foreign_page_can_send(reader: Reader) -> None:
    """A form or a fetch of another site's page: no answer to a preflight, and no simple request changes anything."""
    client, body = reader.site.client, '{"theme": "t", "workflow": "small", "start": true}'
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for headers in (foreign, {"Origin": "https://evil.example"}):
        answer = await client.post(
            f"{BASE}/create", content=body, headers=headers | {"Content-Type": "application/json"}
        )
        assert answer.status_code == 403
    assert (await client.post("/api/providers/gpt/open", headers=foreign)).status_code == 403
    plain = await client.post(f"{BASE}/create", content=body, headers={"Content-Type": "text/plain"})
    assert plain.status_code == 422
    rebound = await client.get(f"{BASE}/", headers={"Host": "evil.example"})
    assert rebound.status_code == 403
    preflight = await client.options(f"{BASE}/create", headers=foreign | {"Access-Control-Request-Method": "POST"})
    assert not [name for name in preflight.headers if name.startswith("access-control")]
