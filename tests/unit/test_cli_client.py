"""The client of the gateway: its errors say what to do next, and its stream survives the gateway's death."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from ekiden_cli import client as client_module
from ekiden_cli.client import Gateway, patiently
from ekiden_cli.documents import Entry
from ekiden_cli.errors import (
    Conflict,
    Exit,
    Forbidden,
    Invalid,
    NotFound,
    OverQuota,
    Problem,
    Unavailable,
    Unreachable,
)
from ekiden_cli.server_events import ServerEvent, server_events

SESSION = "ses_0199c0ffee0077778888999900001111"
Answer = Callable[[httpx.Request], httpx.Response]


def gateway(answer: Answer) -> Gateway:
    return Gateway("http://gateway", transport=httpx.MockTransport(answer))


def problem(status: int, **body: Any) -> Answer:
    headers = {"content-type": "application/problem+json"} | body.pop("headers", {})
    return lambda _request: httpx.Response(status, headers=headers, content=json.dumps({"status": status} | body))


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, Forbidden, Exit.FAILED),
        (403, Forbidden, Exit.FAILED),
        (404, NotFound, Exit.NOT_FOUND),
        (409, Conflict, Exit.FAILED),
        (413, Invalid, Exit.USAGE),
        (422, Invalid, Exit.USAGE),
        (429, OverQuota, Exit.FAILED),
        (500, Problem, Exit.FAILED),
        (503, Unavailable, Exit.FAILED),
    ],
)
async def test_a_status_becomes_the_error_that_says_what_to_do(status: int, error: type[Problem], code: Exit) -> None:
    async with gateway(problem(status, title="No", detail="Not like this.")) as client:
        with pytest.raises(error, match=r"Not like this\.") as raised:
            await client.status(SESSION)

    assert type(raised.value) is error
    assert raised.value.exit_code is code


async def test_a_problem_keeps_its_stable_type_and_whatever_else_the_gateway_says() -> None:
    answer = problem(409, type="/problems/conflicting-state", detail="It waits.", state="WAITING")
    async with gateway(answer) as client:
        with pytest.raises(Conflict) as raised:
            await client.start(SESSION)

    assert raised.value.type == "/problems/conflicting-state"
    assert raised.value.document()["state"] == "WAITING"


async def test_every_field_that_is_wrong_is_named_once() -> None:
    rows = [{"field": "theme", "message": "is missing"}, {"field": "style", "message": "is none of insight"}]
    async with gateway(problem(422, detail="theme: is missing", errors=rows)) as client:
        with pytest.raises(Invalid) as raised:
            await client.create({})

    assert str(raised.value) == "theme: is missing\nstyle: is none of insight"


async def test_the_wait_that_the_gateway_asks_for_is_told() -> None:
    async with gateway(problem(503, detail="Away.", headers={"retry-after": "2"})) as client:
        with pytest.raises(Unavailable) as raised:
            await client.status(SESSION)

    assert raised.value.retry_after_seconds == 2
    assert raised.value.help == "Try again in 2 s."


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), httpx.ReadError("cut")])
async def test_a_gateway_that_does_not_answer_is_unreachable(failure: httpx.HTTPError) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    async with gateway(fail) as client:
        with pytest.raises(Unreachable, match="http://gateway") as raised:
            await client.status(SESSION)

    assert raised.value.exit_code is Exit.UNREACHABLE
    assert "make up" in raised.value.help


@pytest.mark.parametrize("body", ["<html>a router</html>", "[1, 2]", '{"sessions": 1}'])
async def test_another_server_at_the_address_is_no_gateway(body: str) -> None:
    async with gateway(lambda _request: httpx.Response(200, text=body)) as client:
        with pytest.raises(Unreachable, match="not the gateway"):
            await client.status(SESSION)


async def test_the_api_key_goes_along_as_bearer_token() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"items": []})

    async with Gateway("http://gateway", api_key="secret", transport=httpx.MockTransport(answer)) as client:
        await client.sessions(status="WAITING", limit=5, cursor=None)

    assert seen == ["Bearer secret"]


async def read(text: str) -> list[ServerEvent]:
    async def lines() -> AsyncIterator[str]:
        for line in text.split("\n"):
            yield line

    return [event async for event in server_events(lines())]


async def test_server_events_are_read_as_the_standard_says() -> None:
    text = ': ping\n\nid: 7\nevent: moved\ndata: {"a":\ndata:  1}\n\ndata:x\n\nid: 9\ndata: cut off'

    assert await read(text) == [ServerEvent("7", "moved", '{"a":\n 1}'), ServerEvent("7", "message", "x")]


def event(version: int) -> str:
    entry = {"id": version, "at": "2026-11-22T09:30:00Z", "status": "THINKING", "events": []}
    return f"id: {version}\ndata: {json.dumps(entry)}\n\n"


class Stream(httpx.AsyncByteStream):
    """Events, and then the connection is cut."""

    def __init__(self, *versions: int) -> None:
        self._versions = versions

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for version in self._versions:
            yield event(version).encode()
        raise httpx.ReadError("cut")


def scripted(*answers: Stream | Exception, asked: list[str | None]) -> Answer:
    """Answer each request with the next stream; behind the last there is nobody any more."""
    script = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        step = script.pop(0) if script else httpx.ConnectError("refused")
        if isinstance(step, Exception):
            raise step
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=step)

    return answer


class CountedTime:
    """A clock that moves by a hundredth of a second whenever it is read: how busy the machine is does not matter."""

    def __init__(self) -> None:
        self._readings = 0

    def monotonic(self) -> float:
        self._readings += 1
        return self._readings / 100


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(client_module, "time", CountedTime())


async def note(entries: AsyncIterator[Entry], seen: list[int]) -> None:
    async for entry in entries:
        seen.append(entry.version)  # noqa: PERF401 (the stream ends with an error; what came before counts)


@pytest.mark.usefixtures("impatient")
async def test_nothing_is_lost_or_repeated_over_a_reconnect() -> None:
    asked: list[str | None] = []
    answer = scripted(Stream(0, 1), httpx.ConnectError("refused"), Stream(1, 2, 3), asked=asked)
    seen: list[int] = []
    async with gateway(answer) as client, aclosing(client.follow(SESSION, patience_seconds=0.05)) as entries:
        with pytest.raises(Unreachable):
            await note(entries, seen)

    assert seen == [0, 1, 2, 3]
    assert asked[:3] == [None, "1", "1"]
    assert asked[3] == "3"


@pytest.mark.usefixtures("impatient")
async def test_a_reconnect_is_tried_only_as_long_as_there_is_patience() -> None:
    away: list[float | None] = []
    answer = scripted(Stream(0), asked=[])
    async with (
        gateway(answer) as client,
        asyncio.timeout(60),
        aclosing(client.follow(SESSION, patience_seconds=0.1, away=away.append)) as entries,
    ):
        with pytest.raises(Unreachable):
            async for _ in entries:
                pass

    assert away[0] is None
    waited = [seconds for seconds in away if seconds is not None]
    assert waited == sorted(waited)
    assert max(waited) <= 0.2


@pytest.mark.usefixtures("impatient")
async def test_a_session_that_is_over_ends_the_stream() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("last-event-id") == "1":
            return httpx.Response(204)
        sent = event(0) + event(1) + "event: end\ndata: {}\n\n"
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=sent)

    async with gateway(answer) as client:
        assert [entry.version async for entry in client.follow(SESSION)] == [0, 1]
        assert [entry.version async for entry in client.follow(SESSION, after=1)] == []


@pytest.mark.usefixtures("impatient")
async def test_a_session_that_is_gone_ends_the_stream_at_once() -> None:
    async with gateway(problem(404, detail="There is no session.")) as client:
        with pytest.raises(NotFound):
            await note(client.follow(SESSION), [])


def test_unknown_fields_are_kept_and_missing_ones_have_defaults() -> None:
    entry = Entry.model_validate({"id": 3, "at": "2026-11-22T09:30:00Z", "newField": {"a": 1}})

    assert entry.events == ()
    assert entry.raw["newField"] == {"a": 1}


@pytest.mark.usefixtures("impatient")
async def test_a_question_is_asked_again_until_the_gateway_is_back() -> None:
    answers = [httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(200, json={"items": []})]

    def answer(_request: httpx.Request) -> httpx.Response:
        step = answers.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async with gateway(answer) as client:
        assert (await patiently(client.sessions)).items == ()


@pytest.mark.usefixtures("impatient")
async def test_patience_has_an_end() -> None:
    async with gateway(scripted(asked=[])) as client:
        with pytest.raises(Unreachable):
            await patiently(client.sessions, patience_seconds=0.05)
